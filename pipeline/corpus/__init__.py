"""A labelled demonstration corpus, composed from a seed and played by a General MIDI soundfont.

One track goes: `artists` and `arrangement` decide what it will be, `composition` (with `lead`, `backing` and `rhythm`)
writes the notes, `synthesis` plays them, `mixing` records them, `encoding` stores them, `tags` names what was played.
`render` does that for a whole corpus.
"""
