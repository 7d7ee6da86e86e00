from __future__ import annotations

import itertools
import random

import pytest

from pipeline.info.tag_spelling import Likeness, pairs_alike


@pytest.mark.parametrize(
    ("one", "other", "likeness"),
    [
        ("Hip-Hop", "hip hop", Likeness.SAME_LETTERS),
        ("noVocal", "no vocal", Likeness.SAME_LETTERS),
        ("r&b", "rnb", Likeness.SAME_LETTERS),
        ("vocal", "vocals", Likeness.SAME_WORDS),
        ("vocal", "voice", Likeness.SAME_WORDS),
        ("novocals", "no vocal", Likeness.SAME_WORDS),
        ("female vocalist", "female vocalists", Likeness.SAME_WORDS),
        ("latin rock", "rock latin", Likeness.SAME_WORDS),
        ("genre---classic", "genre---classical", Likeness.SAME_STEMS),
        ("harpsichord", "harpsicord", Likeness.ONE_LETTER),
        ("electronic", "electornic", Likeness.ONE_LETTER),
        ("chill", "chillout", Likeness.SAME_BEGINNING),
    ],
)
def test_tags_that_are_spelled_alike_are_paired(one: str, other: str, likeness: Likeness) -> None:
    assert pairs_alike([one, "something else", other]) == {(0, 2): likeness}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("female vocal", "male vocal"),
        ("vocal", "no vocal"),
        ("60s", "70s"),
        ("house", "mouse"),
        ("mellow", "yellow"),
        ("genre---rock", "genre---rack"),
        ("genre---electronic", "mood/theme---electronic"),
        ("guitar", "sitar"),
        ("hard rock", "hard"),
        ("chill", "deep chillout"),
    ],
)
def test_other_tags_are_not(one: str, other: str) -> None:
    assert pairs_alike([one, other]) == {}


def _edits(word: str) -> set[str]:
    """Every spelling that differs by one letter, by definition."""
    letters = "abc"
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    return {
        *(a + b[1:] for a, b in cuts if b),
        *(a + letter + b for a, b in cuts for letter in letters),
        *(a + letter + b[1:] for a, b in cuts if b for letter in letters),
        *(a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1),
    }


def test_every_pair_one_letter_apart_is_found_and_no_other() -> None:
    draw = random.Random(0)
    words = sorted({"".join(draw.choices("abc", k=draw.randint(5, 8))) for _ in range(600)})
    alike = pairs_alike(words)
    found = {pair for pair, likeness in alike.items() if likeness is Likeness.ONE_LETTER}
    expected = {
        (a, b)
        for a, b in itertools.combinations(range(len(words)), 2)
        if max(len(words[a]), len(words[b])) >= 6 and words[a][0] == words[b][0] and words[b] in _edits(words[a])
    }
    assert len(expected) > 100
    assert found == {pair for pair in expected if alike[pair] >= Likeness.ONE_LETTER}


def test_pairs_do_not_depend_on_the_order_of_the_tags() -> None:
    tags = ["vocal", "Vocals", "voice", "chill", "chillout", "electronic", "electronica", "classic", "classical"]

    def named(order: list[str]) -> set[tuple[frozenset[str], Likeness]]:
        return {(frozenset((order[a], order[b])), likeness) for (a, b), likeness in pairs_alike(order).items()}

    assert named(tags) == named(tags[::-1])
    assert len(named(tags)) == 6
