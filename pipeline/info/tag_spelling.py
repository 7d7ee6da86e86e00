"""Find pairs of tags that are spelled like one tag, without comparing every tag with every other."""

from __future__ import annotations

import enum
import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from pipeline.info.word_forms import meaning_of, singular, stem, words_of

_LEAST_LETTERS = 6  # letters of a word that may be misspelled; shorter ones are too often another word: house, mouse
_LEAST_BEGINNING = 4  # letters of a word with which another word begins
_MOST_SHARING = 50  # tags with one spelling that are all compared; more would add nothing to decide


class Likeness(enum.IntEnum):
    """Kinds of similarity of two tags, the closest first."""

    SAME_LETTERS = 0  # Hip-Hop, hip hop
    SAME_WORDS = 1  # vocal, vocals, voice
    SAME_STEMS = 2  # classic, classical
    ONE_LETTER = 3  # harpsichord, harpsicord
    SAME_BEGINNING = 4  # chill, chillout

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


def pairs_alike(tags: Sequence[str]) -> dict[tuple[int, int], Likeness]:
    """The pairs of tags that are spelled alike.

    Args:
        tags: Tags, each once, in any order.

    Returns:
        Positions in `tags`, the lower one first -> the closest likeness of the two, ordered by position.
    """
    words = [words_of(tag) for tag in tags]
    meanings = [meaning_of(each) for each in words]
    stems = [tuple(map(stem, each)) for each in meanings]
    found: dict[tuple[int, int], Likeness] = {}
    for likeness, keys in (
        (Likeness.SAME_LETTERS, [("".join(each),) for each in words]),
        (Likeness.SAME_WORDS, [(_joined(each), tuple(sorted(each))) for each in meanings]),
        (Likeness.SAME_WORDS, [(_joined(tuple(map(singular, each))),) for each in words]),  # novocals, no vocal
        (Likeness.SAME_STEMS, [(_joined(each), tuple(sorted(each))) for each in stems]),
    ):
        for pair in _sharing(keys):
            found.setdefault(pair, likeness)
    for pair in _sharing([tuple(_with_a_letter_less(each)) for each in words]):
        if _one_letter_apart(words[pair[0]], words[pair[1]]):
            found.setdefault(pair, Likeness.ONE_LETTER)
    for pair in _beginning_alike(words):
        found.setdefault(pair, Likeness.SAME_BEGINNING)
    return dict(sorted(found.items()))


def _joined(words: tuple[str, ...]) -> str:
    return "".join(words)


def _sharing(keys: Sequence[Iterable[Hashable]]) -> list[tuple[int, int]]:
    """Pairs of positions that have a key in common."""
    holders: dict[Hashable, list[int]] = defaultdict(list)
    for place, each in enumerate(keys):
        for key in dict.fromkeys(each):
            holders[key].append(place)
    pairs = (itertools.combinations(places[:_MOST_SHARING], 2) for places in holders.values() if len(places) > 1)
    return sorted(set(itertools.chain.from_iterable(pairs)))


def _with_a_letter_less(words: tuple[str, ...]) -> Iterable[Hashable]:
    """Variants of the words: unchanged for each long word, and with one of its letters other than the first removed.

    Two spellings one letter apart share a variant, unless they begin with different letters and so are other words.
    """
    for number, word in enumerate(words):
        if len(word) >= _LEAST_LETTERS - 1 and word.isalpha():
            shorter = (word[:at] + word[at + 1 :] for at in range(1, len(word)))
            for spelling in (word, *shorter):
                yield number, (*words[:number], spelling, *words[number + 1 :])


def _one_letter_apart(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """True if exactly one long word differs, by one letter added, removed or replaced, or by two letters swapped."""
    differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(differing) != 1:
        return False
    a, b = sorted(differing[0], key=len)
    if len(b) < _LEAST_LETTERS:
        return False
    start = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), len(a))
    if len(a) < len(b):
        return len(a) + 1 == len(b) and a[start:] == b[start + 1 :]
    return a[start + 1 :] == b[start + 1 :] or (
        a[start : start + 2] == b[start : start + 2][::-1] and a[start + 2 :] == b[start + 2 :]
    )


def _beginning_alike(words: Sequence[tuple[str, ...]]) -> list[tuple[int, int]]:
    """Pairs that differ only in their last word, where one last word begins with the other."""
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, each in enumerate(words):
        places[each].append(place)
    pairs = set()
    for place, each in enumerate(words):
        *others, last = each
        for letters in range(_LEAST_BEGINNING, len(last)):
            for shorter in places.get((*others, last[:letters]), ())[:_MOST_SHARING]:
                pairs.add((min(place, shorter), max(place, shorter)))
    return sorted(pairs)
