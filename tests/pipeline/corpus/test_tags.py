"""Tags are assigned in their shares, independently of each other, and describe the notes that are played."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from pipeline.corpus.arrangement import Arrangement, arrange, deal
from pipeline.corpus.artists import artist, artist_numbers
from pipeline.corpus.composition import compose
from pipeline.corpus.instruments import FAMILIES, KICK, LEAD_CENTRE, SNARE
from pipeline.corpus.score import Piece
from pipeline.corpus.tags import TAGS, tags_of

SEEDS = range(4)
TRACKS = 300
SECONDS = 12.0
# Tags of the same kind: one excludes or implies the other.
DEPENDENT = [
    set(FAMILIES),
    {"slow", "fast"},
    {"low melody", "high melody"},
    {"drums", "four on the floor", "backbeat", "drum roll", "waltz"},
    {"rising scales", "falling scales", "arpeggio", "repeated notes", "slides", "vibrato", "staccato", "swells"},
    # Instruments that can hold or bend a note, and those that cannot.
    {"swells", "slides", "vibrato", *FAMILIES},
]

Played = list[tuple[Arrangement, Piece]]


def arrangements(seed: int, tracks: int) -> list[Arrangement]:
    return [arrange(seed, track, artist(seed, number)) for track, number in enumerate(artist_numbers(seed, tracks))]


@pytest.fixture(scope="module")
def played() -> Played:
    return [(arrangement, compose(0, arrangement, SECONDS)) for arrangement in arrangements(0, 80)]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_tag_has_between_a_tenth_and_six_tenths_of_the_tracks(seed: int) -> None:
    counts = Counter(tag for arrangement in arrangements(seed, TRACKS) for tag in tags_of(arrangement))
    assert set(counts) == set(TAGS)
    assert {tag: n / TRACKS for tag, n in counts.items() if not 0.1 <= n / TRACKS <= 0.61} == {}


def test_tags_of_different_kinds_do_not_give_each_other_away() -> None:
    tagged = [set(tags_of(arrangement)) for seed in SEEDS for arrangement in arrangements(seed, TRACKS)]
    matrix = np.array([[tag in tags for tag in TAGS] for tags in tagged], float)
    correlation = np.corrcoef(matrix.T)
    told = {
        (first, second): round(float(correlation[TAGS.index(first), TAGS.index(second)]), 2)
        for first, second in itertools.combinations(TAGS, 2)
        if not any({first, second} <= kind for kind in DEPENDENT)
    }
    assert {pair: value for pair, value in told.items() if abs(value) > 0.15} == {}


def test_an_artist_has_a_handful_of_tracks_and_a_leaning() -> None:
    numbers = artist_numbers(0, TRACKS)
    assert TRACKS / 5 <= len(set(numbers)) <= TRACKS / 3
    assert all(2 <= count <= 6 for count in list(Counter(numbers).values())[:-1])
    assert artist_numbers(0, 20) == numbers[:20]
    tempi = defaultdict(list)
    for number, arrangement in zip(numbers, arrangements(0, TRACKS), strict=True):
        tempi[number].append(arrangement.tempo == artist(0, number).tempo)
    assert 0.6 < np.mean([matches for own in tempi.values() for matches in own]) < 0.85  # 1 / 3 if at random


def test_a_deck_is_dealt_to_the_last_card_before_it_is_shuffled_again() -> None:
    deck = ("a", "a", "b", "c")
    rounds = [tuple(deal(7, "test", 4 * number + card, deck) for card in range(4)) for number in range(20)]
    assert all(sorted(dealt) == sorted(deck) for dealt in rounds)
    assert len(set(rounds)) > 4


def test_rising_scales_rise_and_falling_scales_fall(played: Played) -> None:
    for arrangement, piece in played:
        steps = np.diff([note.pitch for note in piece.parts[0].notes])
        if arrangement.gesture == "rising":
            assert np.mean(steps > 0) > 0.85
        if arrangement.gesture == "falling":
            assert np.mean(steps < 0) > 0.85


def test_melodies_lie_in_the_register_that_their_tag_names(played: Played) -> None:
    for arrangement, piece in played:
        middle = np.mean([note.pitch for note in piece.parts[0].notes])
        assert abs(middle - LEAD_CENTRE[arrangement.register]) < 8


def test_notes_are_repeated_where_the_tag_says_so_and_nowhere_else(played: Played) -> None:
    for arrangement, piece in played:
        quick = [
            (later.start - earlier.start) < 0.13 and later.pitch == earlier.pitch
            for part in piece.parts[:2]
            for pitch in {note.pitch for note in part.notes}
            for earlier, later in itertools.pairwise(
                sorted((note for note in part.notes if note.pitch == pitch), key=lambda note: note.start)
            )
        ]
        assert (np.mean(quick) > 0.5) == ("repeated notes" in tags_of(arrangement))


def test_staccato_notes_leave_most_of_the_time_silent(played: Played) -> None:
    for arrangement, piece in played:
        notes = piece.parts[0].notes
        sounding = sum(note.end - note.start for note in notes) / SECONDS
        if arrangement.staccato:
            assert sounding < 0.45
        elif arrangement.gesture in ("melody", "arpeggio"):
            assert sounding > 0.9


def test_only_slides_and_vibrato_bend_and_only_swells_swell(played: Played) -> None:
    for arrangement, piece in played:
        lead, backing = piece.parts[:2]
        assert bool(lead.bend.times) == (arrangement.gesture in ("slides", "vibrato"))
        assert bool(backing.swell.times) == ("swells" in tags_of(arrangement))


def test_drums_play_the_beat_that_the_tag_names(played: Played) -> None:
    for arrangement, piece in played:
        tags = set(tags_of(arrangement))
        drums = [part for part in piece.parts if part.drums]
        assert bool(drums) == ("drums" in tags)
        if not drums:
            continue
        beats = SECONDS * arrangement.bpm / 60
        kicks = sum(note.pitch == KICK for note in drums[0].notes) / beats
        snares = sum(note.pitch == SNARE for note in drums[0].notes) / beats
        assert (kicks > 0.9) == ("four on the floor" in tags)
        assert (0.4 < snares < 0.6) == ("backbeat" in tags)
        assert (snares > 3) == ("drum roll" in tags)
        assert ("waltz" in tags) == (arrangement.beats_per_bar == 3)


def test_every_part_plays_from_the_start_of_even_the_shortest_piece() -> None:
    for arrangement in arrangements(5, 40):
        piece = compose(5, arrangement, 2.0)
        assert all(min(note.start for note in part.notes) < 1.1 for part in piece.parts)
        assert all(0 <= note.start < note.end <= 2.0 for part in piece.parts for note in part.notes)
        assert all(0 < note.pitch < 120 for part in piece.parts for note in part.notes)
