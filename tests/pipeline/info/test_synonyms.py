from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.info.synonyms import TagPair, find_synonyms
from schemas.dataset import Dataset
from schemas.label_version import open_labels


def _tracks(*shares: tuple[int, ...]) -> np.ndarray:
    """Makes a bool array [tracks, tags]: each argument is a number of tracks and the tags that they have."""
    has = np.zeros((sum(count for count, *_ in shares), 1 + max(tag for _, *tags in shares for tag in tags)), bool)
    start = 0
    for count, *tags in shares:
        has[start : start + count, tags] = True
        start += count
    return has


def _pair(pairs: tuple[TagPair, ...], *tags: str) -> TagPair:
    return next(pair for pair in pairs if set(pair.tags) == set(tags))


def test_a_pair_has_its_counts_and_the_more_frequent_tag_first(make_rows) -> None:
    rows = make_rows(_tracks((3, 0), (7, 1), (2, 0, 1), (88, 2)))
    (pair,) = find_synonyms(rows, ("vocal", "vocals", "rock"), {}).pairs
    assert (pair.tags, pair.both, pair.only) == (("vocals", "vocal"), 2, (7, 3))
    assert pair.jaccard == pytest.approx(2 / 12)
    assert pair.lift == pytest.approx(2 * 100 / (9 * 5))


def test_the_most_frequent_tag_is_the_target_of_the_suggested_merge(make_rows) -> None:
    rows = make_rows(_tracks((5, 0), (9, 1), (2, 2), (1, 0, 2)))
    found = find_synonyms(rows, ("voice", "vocals", "vocal"), {})
    assert found.merge == {"vocals": ("voice", "vocal")}
    assert yaml.safe_load(found.yaml) == {"merge": {"vocals": ["voice", "vocal"]}}


def test_close_spellings_are_merged_also_where_no_track_has_both(make_rows) -> None:
    rows = make_rows(_tracks((50, 0), (50, 1)))
    assert find_synonyms(rows, ("Hip-Hop", "hip hop"), {}).merge == {"Hip-Hop": ("hip hop",)}


def test_one_stem_is_not_merged_where_the_tracks_speak_against_it(make_rows) -> None:
    apart, together = _tracks((50, 0), (50, 1)), _tracks((20, 0), (20, 1), (30, 0, 1), (30, 2))
    for has, merge in ((apart, {}), (together, {"classic": ("classical",)})):
        found = find_synonyms(make_rows(has), ("classic", "classical", "rock")[: has.shape[1]], {})
        assert found.merge == merge
        assert _pair(found.pairs, "classic", "classical").merge == bool(merge)


def test_one_letter_is_merged_only_where_the_tracks_speak_for_it(make_rows) -> None:
    tags = ("lonely", "lovely", "rock")
    for both, merge in ((2, {}), (15, {"lonely": ("lovely",)})):
        rows = make_rows(_tracks((20, 0), (20, 1), (both, 0, 1), (200, 2)))
        assert find_synonyms(rows, tags, {}).merge == merge


def test_tags_that_begin_alike_are_shown_if_often_together_and_never_merged(make_rows) -> None:
    tags = ("chill", "chillout", "rock")
    often = find_synonyms(make_rows(_tracks((20, 0), (20, 1), (20, 0, 1), (100, 2))), tags, {})
    assert [(pair.tags, pair.merge) for pair in often.pairs] == [(("chill", "chillout"), False)]
    assert (often.merge, often.yaml) == ({}, "")
    assert find_synonyms(make_rows(_tracks((20, 0), (20, 1), (100, 2))), tags, {}).pairs == ()


def test_nearly_the_same_tracks_are_shown_and_not_merged(make_rows) -> None:
    found = find_synonyms(make_rows(_tracks((30, 0, 1), (10, 0), (5, 2))), ("sitar", "indian", "rock"), {})
    (pair,) = found.pairs
    assert (pair.tags, pair.likeness, pair.same_tracks, pair.merge) == (("sitar", "indian"), "", True, False)
    assert found.merge == {}


def test_a_parent_and_its_child_are_never_taken_for_one_tag(make_rows) -> None:
    rows = make_rows(_tracks((30, 0, 1, 2), (5, 0, 1), (5, 0), (60, 3)))
    tags = ("vocals", "vocal", "voice", "rock")
    assert find_synonyms(rows, tags, {}).merge == {"vocals": ("vocal", "voice")}
    found = find_synonyms(rows, tags, {"hierarchy": {"vocals": ["vocal"], "vocal": ["voice"]}})
    assert (found.pairs, found.merge) == ((), {})


def test_the_snippet_keeps_what_the_label_set_merges_and_a_target_of_it(make_rows) -> None:
    label_set = {"merge": {"vocal": ["sung"], "drums": ["drum kit"]}, "tags": ["vocal", "vocals", "drums"]}
    found = find_synonyms(make_rows(_tracks((3, 0), (9, 1), (4, 2))), ("vocal", "vocals", "drums"), label_set)
    assert yaml.safe_load(found.yaml) == {"merge": {"vocal": ["sung", "vocals"], "drums": ["drum kit"]}}
    assert found.drop_from_tags == ("vocals",)


def test_two_targets_of_the_label_set_become_one(make_rows) -> None:
    label_set = {"merge": {"vocal": ["sung"], "vocals": ["song"]}}
    found = find_synonyms(make_rows(_tracks((3, 0), (9, 1))), ("vocal", "vocals"), label_set)
    assert yaml.safe_load(found.yaml) == {"merge": {"vocals": ["sung", "vocal", "song"]}}


def test_tags_that_yaml_would_read_as_something_else_stay_text(make_rows) -> None:
    found = find_synonyms(make_rows(_tracks((3, 0), (2, 1), (2, 2), (1, 3))), ("No", "no", "été", "Été"), {})
    assert yaml.safe_load(found.yaml) == {"merge": {"No": ["no"], "été": ["Été"]}}
    assert "été: [Été]" in found.yaml


def test_the_suggested_merge_can_be_laid_and_leaves_nothing_to_merge(dataset: Path, small_corpus, lay) -> None:
    tracks = [row[0] for row in small_corpus.rows]
    spelled = ("vocals", "Vocals: all", "vocal", "voice", "no voice", "no vocals", "rock")
    rows = [(track, spelled[number % len(spelled)], "") for number, track in enumerate(tracks)]
    rows = [(track, tag, 1) for track, tag, _ in rows]
    lay("name: mine\nmerge: {vocals: ['Vocals: all']}\n", rows)

    def synonyms():
        labels = open_labels(Dataset.open(str(dataset)), "mine")
        table = pq.read_table(dataset / "tracks" / "gen-000.parquet", columns=["track_id", "group"])
        from pipeline.info.label_rows import label_rows

        return labels.vocabulary, find_synonyms(label_rows(labels, table), labels.vocabulary, labels.manifest.label_set)

    before, found = synonyms()
    assert set(before) == set(spelled) - {"Vocals: all"}
    summary = lay(f"name: mine\n{found.yaml}", rows)
    after, again = synonyms()
    assert set(after) == {"vocals", next(iter({"no voice", "no vocals"} & set(after))), "rock"}
    assert again.pairs == ()
    counts = dict(zip(after, map(sum, zip(*summary.positives.values(), strict=True)), strict=True))
    assert counts["vocals"] == sum(row[1] in ("vocals", "Vocals: all", "vocal", "voice") for row in rows)


def test_magnatagatune_gets_the_merges_that_its_users_make(material: Path, make_rows) -> None:
    folder = material / "annotations" / "mtat"
    tags = ast.literal_eval((folder / "musicnn_output_labels_mtt.txt").read_text().split("=")[1].strip())
    lines = [
        line for part in ("val", "test") for line in (folder / f"musicnn_{part}_gt_mtt.tsv").read_text().splitlines()
    ]
    has = np.array([ast.literal_eval(line.split("\t")[1]) for line in lines]) > 0
    found = find_synonyms(make_rows(has), tags, {})
    assert {frozenset((target, *sources)) for target, sources in found.merge.items()} == {
        frozenset(("vocal", "vocals", "voice")),
        frozenset(("no vocal", "no vocals", "no voice")),
        frozenset(("female", "woman", "female vocal", "female voice")),
        frozenset(("male", "man", "male vocal", "male voice")),
        frozenset(("classical", "classic")),
        frozenset(("beat", "beats")),
        frozenset(("choir", "choral")),
    }
    assert found.merge["vocal"] == ("vocals", "voice")
    assert _pair(found.pairs, "vocal", "voice").both == int(
        (has[:, tags.index("vocal")] & has[:, tags.index("voice")]).sum()
    )


def test_the_million_song_dataset_gets_few_merges_and_the_rest_to_decide(material: Path, make_rows) -> None:
    folder = material / "annotations" / "msd"
    tags = (folder / "50tagList.txt").read_text().split("\n")[:50]
    has = np.concatenate([np.load(folder / f"keunwoochoi_{part}_y.npy") for part in ("valid", "test")]) > 0
    found = find_synonyms(make_rows(has), tags, {})
    assert found.merge == {"female vocalists": ("female vocalist",), "electronic": ("electronica",)}
    assert {frozenset(pair.tags) for pair in found.pairs if not pair.merge} == {
        frozenset(("chill", "chillout")),
        frozenset(("electronic", "electro")),
        frozenset(("electronica", "electro")),
    }


def test_jamendo_whose_synonyms_are_merged_already_gets_next_to_none(material: Path, make_rows) -> None:
    lines = (material / "annotations" / "jamendo" / "autotagging.rebuilt.tsv").read_text().splitlines()[1:]
    labels = [line.split("\t")[5:] for line in lines]
    tags = sorted({tag for each in labels for tag in each})
    place = {tag: number for number, tag in enumerate(tags)}
    has = np.zeros((len(labels), len(tags)), bool)
    for number, each in enumerate(labels):
        has[number, [place[tag] for tag in each]] = True
    merge = find_synonyms(make_rows(has), tags, {}).merge
    assert len(tags) == 183
    assert sum(map(len, merge.values())) <= 2, merge
