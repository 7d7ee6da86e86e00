"""Normalize the words of tags: word boundaries, plurals, endings, and a few words for music and voices."""

from __future__ import annotations

import re
import unicodedata

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # noVocals
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"['’`´]")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")  # accents; in other scripts marks make different letters

# Words that mean the same in a tag but share no stem.
_SAME_WORD = {
    **dict.fromkeys(("voice", "vox", "vocalist", "vocal"), "vocal"),
    **dict.fromkeys(("singer", "singing"), "sing"),
    **dict.fromkeys(("woman", "women"), "female"),
    **dict.fromkeys(("man", "men"), "male"),
    **dict.fromkeys(("choral", "chorale"), "choir"),
    **dict.fromkeys(("non", "without"), "no"),
    "sax": "saxophone",
    "synth": "synthesizer",
    "xmas": "christmas",
}
_SEXES = frozenset(("female", "male"))
_VOICES = frozenset(("vocal", "sing"))

# Endings that form another word from the same stem, and what replaces them; the first match counts.
_ENDINGS = (
    ("iness", "y"),  # happiness
    ("ness", ""),  # sadness
    ("ation", ""),  # relaxation
    ("etic", "y"),  # energetic
    ("atic", "a"),  # dramatic
    ("ical", "y"),  # classical
    ("ral", "ra"),  # orchestral
    ("al", ""),  # emotional
    ("ic", "y"),  # melancholic
    ("ful", ""),  # hopeful
    ("ing", ""),  # relaxing
    ("ed", ""),  # relaxed
)
_LEAST_STEM = 4  # letters before an ending, except for -ness and -ful
_SHORT_ENDINGS = frozenset(("ness", "ful"))
# Words whose meaning differs from that of their stems.
_OWN_WORDS = frozenset(("instrumental", "metallic", "musical", "natural", "organic", "popular"))


def words_of(tag: str) -> tuple[str, ...]:
    """The words of a tag: lower case, without accents and punctuation; `&`, `and` and `'n'` are one word.

    A tag without letters and digits is one word.
    """
    text = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", _HUMP.sub(" ", tag)))
    text = _APOSTROPHES.sub("", unicodedata.normalize("NFC", text).casefold().replace("&", " n "))
    words = tuple("n" if word == "and" else word for word in _WORD.findall(text))
    return words or (tag,)


def meaning_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words in the singular, with one word for each set of synonyms, and `female voice` as `female`."""
    known = [_SAME_WORD.get(word, word) for word in map(singular, words)]
    if len(known) > 1 and known[-1] == "music":
        known.pop()  # ambient music
    if not _SEXES.isdisjoint(known):
        known = [word for word in known if word not in _VOICES]
    return tuple(known)


def singular(word: str) -> str:
    """The singular of an English plural, as far as spelling shows it; other words unchanged."""
    if len(word) < 4 or not word.isalpha() or not word.isascii():
        return word
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is", "blues")):
        return word[:-1]
    return word


def stem(word: str) -> str:
    """The stem that a word shares with its derived forms, such as `classic` and `classical`, `dream` and `dreamy`."""
    if not word.isalpha() or not word.isascii() or word in _OWN_WORDS:
        return word
    for ending, instead in _ENDINGS:
        least = 3 if ending in _SHORT_ENDINGS else _LEAST_STEM
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)] + instead
            break
    return word[:-1] if word.endswith(("y", "e")) and not word.endswith("ie") and len(word) > 3 else word
