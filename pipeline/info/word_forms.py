"""Which spellings are one word in tags: word boundaries, plurals, endings, and a few words of music and voices."""

from __future__ import annotations

import re
import unicodedata

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # noVocals
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"['’`´]")
_LATIN_MARKS = re.compile("[\u0300-\u036f]")  # accents; marks of other scripts make other letters

# Words that mean one thing in a tag and share no stem.
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

# Endings that make another word of the same stem, and what the stem ends with then; the first that fits counts.
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
_LEAST_STEM = 4  # letters before an ending, but for -ness and -ful
_SHORT_ENDINGS = frozenset(("ness", "ful"))
# Other things than their stems.
_OWN_WORDS = frozenset(("instrumental", "metallic", "musical", "natural", "organic", "popular"))


def words_of(tag: str) -> tuple[str, ...]:
    """The words of a tag: lower case, without accents and punctuation; `&`, `and` and `'n'` are one word.

    A tag without letters and digits is a word by itself.
    """
    text = _LATIN_MARKS.sub("", unicodedata.normalize("NFKD", _HUMP.sub(" ", tag)))
    text = _APOSTROPHES.sub("", unicodedata.normalize("NFC", text).casefold().replace("&", " n "))
    words = tuple("n" if word == "and" else word for word in _WORD.findall(text))
    return words or (tag,)


def meaning_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words in the singular, a word for each set of those that mean one thing, `female voice` as `female`."""
    known = [_SAME_WORD.get(word, word) for word in map(singular, words)]
    if len(known) > 1 and known[-1] == "music":
        known.pop()  # ambient music
    if not _SEXES.isdisjoint(known):
        known = [word for word in known if word not in _VOICES]
    return tuple(known)


def singular(word: str) -> str:
    """An English plural's singular, as far as spelling tells it; other words as they are."""
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
    """What a word shares with others that endings make of it: `classic` and `classical`, `dream` and `dreamy`."""
    if not word.isalpha() or not word.isascii() or word in _OWN_WORDS:
        return word
    for ending, instead in _ENDINGS:
        least = 3 if ending in _SHORT_ENDINGS else _LEAST_STEM
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)] + instead
            break
    return word[:-1] if word.endswith(("y", "e")) and not word.endswith("ie") and len(word) > 3 else word
