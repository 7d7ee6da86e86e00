"""A labelled demonstration corpus, composed from a seed and played by a General MIDI soundfont.

For each track `artists` and `arrangement` make the decisions, `composition` (with `lead`, `backing` and `rhythm`) writes the
notes, `synthesis` plays them, `mixing` records them, `encoding` stores them, and `tags` names what was played. `render` does
that for a whole corpus.
"""
