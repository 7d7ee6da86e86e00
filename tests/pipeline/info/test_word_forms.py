from __future__ import annotations

import pytest

from pipeline.info.word_forms import meaning_of, singular, stem, words_of


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("Hip-Hop", ("hip", "hop")),
        ("noVocals", ("no", "vocals")),
        ("R&B", ("r", "n", "b")),
        ("rock 'n' roll", ("rock", "n", "roll")),
        ("Rock and Roll", ("rock", "n", "roll")),
        ("60's", ("60s",)),
        ("mood/theme---sad", ("mood", "theme", "sad")),
        ("Électronique", ("electronique",)),
        ("ガムラン", ("ガムラン",)),
        ("Straße", ("strasse",)),
        ("♥", ("♥",)),
    ],
)
def test_words_are_told_apart_by_spaces_punctuation_and_humps(tag: str, words: tuple[str, ...]) -> None:
    assert words_of(tag) == words


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("vocals", "vocal"),
        ("stories", "story"),
        ("brasses", "brass"),
        ("bass", "bass"),
        ("chorus", "chorus"),
        ("blues", "blues"),
        ("60s", "60s"),
        ("indie", "indie"),
    ],
)
def test_a_plural_has_a_singular_and_other_words_stay(word: str, expected: str) -> None:
    assert singular(word) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("classic", "classical"),
        ("melancholy", "melancholic"),
        ("energy", "energetic"),
        ("opera", "operatic"),
        ("orchestra", "orchestral"),
        ("relaxed", "relaxation"),
        ("happy", "happiness"),
        ("hope", "hopeful"),
        ("sad", "sadness"),
        ("dream", "dreamy"),
    ],
)
def test_endings_leave_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("instrument", "instrumental"),
        ("organ", "organic"),
        ("pop", "popular"),
        ("indie", "india"),
        ("sing", "string"),
        ("melodic", "melodica"),
        ("harmonic", "harmonica"),
    ],
)
def test_other_words_have_other_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


def test_a_voice_of_a_sex_is_the_sex_and_negations_stay() -> None:
    assert meaning_of(("female", "vocalists")) == meaning_of(("women",)) == ("female",)
    assert meaning_of(("without", "voice")) == meaning_of(("no", "vocals")) == ("no", "vocal")
    assert meaning_of(("ambient", "music")) == ("ambient",)
    assert meaning_of(("music",)) == ("music",)
