"""A comparison of tags gives what pandas and SciPy give on the same files, whatever grew, was removed or was damaged."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from benchmarks.synthetic_tags import write_generation
from schemas.console.errors import DatasetError, UserError
from schemas.features import LogMelSpec, WaveformSpec
from schemas.layout import Layout
from schemas.storage.stored_tables import table_bytes
from schemas.tables import REMOVED
from schemas.tags import EmbeddingsEntry, SourceEntry, Tags, TagsLayout, TagsManifest
from tests.training.shipping_diff.conftest import GENRES, TAGS, Pair, Tracks
from training.shipping_diff.compare_tags import DiffOptions, compare_tags
from training.shipping_diff.database import open_database
from training.shipping_diff.decisions import Decisions, Thresholds, thresholds_of
from training.shipping_diff.float16_steps import UNIT, scores_of
from training.shipping_diff.per_track import count_flips
from training.shipping_diff.result import FlipGate, ShippingDiff, gate_of
from training.shipping_diff.result_json import diff_json
from training.shipping_diff.summary import diff_report


def _diff(pair: Pair, **options: object) -> ShippingDiff:
    return compare_tags(str(pair.old), str(pair.new), DiffOptions(**options))  # type: ignore[arg-type]


def frame(folder: Path, tags: tuple[str, ...] = TAGS) -> pd.DataFrame:
    """The scores in a folder as pandas reads them, a column for each tag; float64 by track_id."""
    files = sorted(folder.glob("scores/*/*.parquet"))
    table = pd.concat([pd.read_parquet(file, columns=["track_id", "scores"]) for file in files])
    scores = np.stack(table["scores"].to_list()).astype(np.float64)
    return pd.DataFrame(scores, columns=list(tags), index=pd.Index(table["track_id"], name="track_id"))


def check(found: ShippingDiff, old: pd.DataFrame, new: pd.DataFrame, threshold: float = 0.5) -> None:
    """Compare every figure of the tags with those of pandas and SciPy."""
    ids = sorted(set(old.index) & set(new.index))
    assert found.tracks == len(ids)
    for one in found.tags:
        a, b = old.loc[ids, one.tag], new.loc[ids, one.tag]
        has_a, has_b = a >= threshold, b >= threshold
        assert (one.old, one.new) == (has_a.sum(), has_b.sum())
        assert (one.gained, one.lost) == ((~has_a & has_b).sum(), (has_a & ~has_b).sum())
        assert one.rate == pytest.approx((has_a != has_b).mean())
        assert one.jaccard == pytest.approx((has_a & has_b).sum() / (has_a | has_b).sum())
        assert (one.old_mean, one.new_mean) == pytest.approx((a.mean(), b.mean()))
        assert one.absolute_shift == pytest.approx((b - a).abs().mean())
        assert one.spearman == pytest.approx(spearmanr(a, b).statistic)
        highest = [set(side.sort_values(ascending=False, kind="stable").index[:100]) for side in (a, b)]
        assert one.overlap == len(highest[0] & highest[1]) / min(100, len(ids))
    flips = (old.loc[ids] >= threshold) != (new.loc[ids] >= threshold)
    assert found.rate == pytest.approx(flips.to_numpy().mean())
    assert found.flipped_tracks == flips.any(axis=1).sum()


def test_every_figure_is_that_of_pandas_and_scipy(pair: Pair) -> None:
    old, new = frame(pair.old), frame(pair.new)
    found = _diff(pair)
    check(found, old, new)
    assert tuple(one.tag for one in found.tags) == TAGS
    assert found.most_flipped()[0].flips == max(one.flips for one in found.tags) > 0
    again = _diff(pair, threshold=0.3)
    check(again, old, new, 0.3)
    assert {one.old_threshold for one in again.tags} == {0.3}
    assert (found.old.thresholds_from, again.new.thresholds_from) == ("default", "option")


def test_the_tracks_to_hear_are_those_with_most_flips(pair: Pair) -> None:
    old, new = frame(pair.old), frame(pair.new)
    flips = (old >= 0.5) != (new >= 0.5)
    sizes = (new - old).abs().where(flips, 0).sum(axis=1)
    order = sorted(old.index, key=lambda track: (-flips.loc[track].sum(), -sizes[track], track))
    found = _diff(pair).examples
    assert [one.track_id for one in found] == order[:50]
    for one in found:
        wanted = {tag for tag in TAGS if flips.loc[one.track_id, tag]}
        assert {flip.tag for flip in one.flips} == wanted
        assert all(
            (flip.old, flip.new) == (old.loc[one.track_id, flip.tag], new.loc[one.track_id, flip.tag])
            for flip in one.flips
        )
        distances = [abs(flip.new - flip.old) for flip in one.flips]
        assert distances == sorted(distances, reverse=True)
        assert one.group == pair.after.groups[pair.after.ids.index(one.track_id)]


@pytest.mark.parametrize("by", ["group", "genre"])
def test_groups_are_those_of_the_tags_or_of_the_catalog(pair: Pair, by: str) -> None:
    flips = (frame(pair.old) >= 0.5) != (frame(pair.new) >= 0.5)
    values = pair.after.groups if by == "group" else [GENRES[number % 3] for number in range(300)]
    found = _diff(pair, by=by)
    group_of = pd.Series(values, index=pair.after.ids, dtype=object)
    assert found.group_count == len(found.groups) == (75 if by == "group" else 3)
    mean = flips.to_numpy().mean() * len(TAGS)
    excess = []
    for one in found.groups:
        inside = flips[group_of.isna() if one.name is None else group_of == one.name]
        assert (one.tracks, one.flips) == (len(inside), inside.to_numpy().sum())
        assert one.rate == pytest.approx(inside.to_numpy().mean())
        counted = sorted(((-count, tag) for tag, count in inside.sum().items() if count))[:3]
        assert one.tags == tuple((tag, -count) for count, tag in counted)
        excess.append(one.flips - mean * one.tracks)
    assert excess == pytest.approx(sorted(excess, reverse=True))
    assert sum(one.gained for one in found.groups) == sum(one.gained for one in found.tags)


def test_a_folder_against_itself_has_no_flip(pair: Pair) -> None:
    found = compare_tags(str(pair.new), str(pair.new))
    assert (found.flips, found.examples, found.flipped_tracks) == (0, (), 0)
    assert {(one.spearman, one.overlap, one.shift, one.absolute_shift) for one in found.tags} == {(1.0, 1.0, 0.0, 0.0)}
    assert gate_of(found, 0).passed


def test_the_newest_record_of_a_track_counts(pair: Pair, make_tracks: Tracks) -> None:
    write_generation(pair.new, make_tracks(100, seed=9, first=250, rejected=["träck 00260", "träck 00310"]), shards=2)
    newest = pd.concat([frame(pair.new).iloc[300:], frame(pair.new).iloc[:300]])
    newest = newest[~newest.index.duplicated()]  # a reject leaves the record of the generation before
    found = _diff(pair)
    check(found, frame(pair.old), newest)
    assert (found.tracks, found.new.scored, found.new.only.tracks) == (300, 349, 49)
    assert found.new.only.first[:2] == ("träck 00300", "träck 00301")
    assert {one.place[0] for one in found.examples} == {0, 1}


def test_what_is_rejected_or_removed_is_counted_and_left_out(pair: Pair, tmp_path: Path, make_tracks: Tracks) -> None:
    write_generation(tmp_path / "less", make_tracks(290, seed=2, rejected=["träck 00003"]), tags=TAGS)
    less = dataclasses.replace(pair, new=tmp_path / "less")
    _remove(TagsLayout(str(pair.old)), "träck 00004", "träck 00005")
    _remove(TagsLayout(str(less.new)), "träck 00005", "träck 00006")
    found = _diff(less)
    gone = ["träck 00004", "träck 00005", "träck 00006"]
    check(found, frame(pair.old).drop(gone), frame(less.new).drop(gone))
    assert (found.tracks, found.removed, found.old.scored) == (286, 3, 297)
    assert (found.old.only.tracks, found.old.only.rejected) == (11, {"decode_error": 1})
    assert found.new.only.tracks == 0
    words = str(diff_report(found, None, None))
    assert f"tracks with scores only in {pair.old}: 11, of which {less.new} rejected 1 decode_error" in words
    assert "tracks that were removed, which do not count: 3" in words


def test_what_is_removed_from_the_tagged_dataset_does_not_count(tmp_path: Path, make_tracks: Tracks) -> None:
    source = SourceEntry("dataset", str(tmp_path / "data"))
    for name in ("old", "new"):
        write_generation(tmp_path / name, make_tracks(40, seed=len(name)), tags=TAGS, source=source)
    found = compare_tags(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (found.tracks, found.new.missing_source) == (40, str(tmp_path / "data"))
    assert "is not there: tracks removed from it since may be among these" in str(diff_report(found, None, None))
    (tmp_path / "data").mkdir()
    Path(Layout(str(tmp_path / "data")).manifest).write_text("{}")
    _remove(Layout(str(tmp_path / "data")), "träck 00001")
    found = compare_tags(str(tmp_path / "old"), str(tmp_path / "new"))
    assert (found.tracks, found.removed, found.new.missing_source) == (39, 1, None)
    with pytest.raises(UserError, match=r"--by genre: .* does not name its catalog; give --catalog FILE"):
        compare_tags(str(tmp_path / "old"), str(tmp_path / "new"), DiffOptions(by="genre"))


def test_scores_of_mean_embeddings_are_told_from_means_of_scores(tmp_path: Path, make_tracks: Tracks) -> None:
    whole = SourceEntry("catalog", str(tmp_path / "catalog.csv"))
    alone = dataclasses.replace(whole, embeddings=EmbeddingsEntry(str(tmp_path / "old"), "0" * 64))
    for name, source in (("old", whole), ("new", alone)):
        write_generation(tmp_path / name, make_tracks(40, seed=len(name)), tags=TAGS, source=source)
    found = compare_tags(str(tmp_path / "old"), str(tmp_path / "new"))
    assert f"{tmp_path / 'new'} has scores of mean embeddings" in str(diff_report(found, None, None))
    assert [diff_json(found, None)[side]["head_alone"] for side in ("old", "new")] == [False, True]
    same = compare_tags(str(tmp_path / "new"), str(tmp_path / "new"))
    assert "mean embeddings" not in str(diff_report(same, None, None))


def _remove(layout: Layout, *ids: str) -> None:
    rows = {"track_id": sorted(ids), "purged": [False] * len(ids)}
    Path(layout.removed).write_bytes(table_bytes(pa.table(rows, schema=REMOVED)))


def test_vocabularies_may_differ(pair: Pair, tmp_path: Path, make_tracks: Tracks) -> None:
    tags = ("jazz", "bebop", "rock")
    write_generation(tmp_path / "other", make_tracks(300, seed=3, tags=3), tags=tags)
    found = compare_tags(str(pair.old), str(tmp_path / "other"))
    assert tuple(one.tag for one in found.tags) == ("jazz", "rock")
    assert (found.old.only_tags, found.new.only_tags) == (("hip hop", "tag <i>ünïcode</i>"), ("bebop",))
    check(found, frame(pair.old)[["jazz", "rock"]], frame(tmp_path / "other", tags)[["jazz", "rock"]])
    write_generation(tmp_path / "none", make_tracks(300, tags=1), tags=("classical",))
    with pytest.raises(UserError, match="expected tags in both vocabularies, found none"):
        compare_tags(str(pair.old), str(tmp_path / "none"))


def _with_thresholds(folder: Path, thresholds: tuple[float | None, ...]) -> None:
    manifest = TagsManifest.read(f"{folder}/tags.json")
    model = dataclasses.replace(manifest.model, thresholds=thresholds)
    (folder / "tags.json").write_bytes(dataclasses.replace(manifest, model=model).to_bytes())


def test_thresholds_of_the_model_are_used(pair: Pair) -> None:
    """A tag for which none could be chosen is never assigned."""
    _with_thresholds(pair.old, (0.25, None, 0.75, 0.1))
    folder = Tags.open(str(pair.old))
    found = thresholds_of(folder, (TAGS[2], TAGS[0], TAGS[1]), None)
    assert (found.values, found.origin) == ((0.75, 0.25, None), "model")
    assert thresholds_of(folder, TAGS, 0.1) == Thresholds((0.1,) * 4, "option")
    never = _diff(pair).tags[1]
    has_new = frame(pair.new)[TAGS[1]] >= 0.5
    assert (never.old_threshold, never.old, never.gained, never.lost) == (None, 0, has_new.sum(), 0)
    assert diff_json(_diff(pair), None)["per_tag"][1]["threshold_old"] is None


def test_each_side_has_its_own_thresholds(pair: Pair) -> None:
    chosen = {
        str(pair.old): Thresholds((0.2, 0.4, 0.6, 0.8), "model"),
        str(pair.new): Thresholds((0.7, 0.5, 0.3, 0.1), "model"),
    }
    for folder, thresholds in chosen.items():
        _with_thresholds(Path(folder), thresholds.values)
    flips = (frame(pair.old) >= chosen[str(pair.old)].values) != (frame(pair.new) >= chosen[str(pair.new)].values)
    found = _diff(pair)
    assert [one.flips for one in found.tags] == flips.sum().tolist()
    assert found.flipped_tracks == flips.any(axis=1).sum()
    assert len(found.examples[0].flips) == flips.sum(axis=1).max()
    gained = frame(pair.new) >= chosen[str(pair.new)].values
    assert all(flip.is_gained == gained.loc[one.track_id, flip.tag] for one in found.examples for flip in one.flips)


def test_other_excerpts_are_a_warning(pair: Pair) -> None:
    manifest = TagsManifest.read(f"{pair.new}/tags.json")
    full = dataclasses.replace(manifest, spec=LogMelSpec(WaveformSpec("full")))
    (pair.new / "tags.json").write_bytes(full.to_bytes())
    report = diff_report(_diff(pair), None, None)
    (warned,) = report.only("warning").lines()
    assert "heard center:30 of each track, " in warned


def test_a_score_that_all_tracks_have_has_no_rank(tmp_path: Path, make_tracks: Tracks) -> None:
    scores = make_tracks(30).scores
    scores[:, 0] = -0.0
    scores[:, 1] = 1
    write_generation(tmp_path / "old", make_tracks(30, scores=scores), tags=TAGS)
    write_generation(tmp_path / "new", make_tracks(30, seed=4), tags=TAGS)
    found = compare_tags(str(tmp_path / "old"), str(tmp_path / "new"))
    assert math.isnan(found.tags[0].spearman)
    assert (found.tags[0].old_mean, found.tags[1].old_mean, found.tags[1].top) == (0.0, 1.0, 30)
    assert diff_json(found, None)["per_tag"][0]["spearman"] is None


@pytest.mark.parametrize("value", [math.nan, -0.001, 1.001, math.inf])
def test_what_is_no_score_is_one_line(tmp_path: Path, make_tracks: Tracks, value: float) -> None:
    scores = make_tracks(30).scores
    scores[17, 2] = value
    write_generation(tmp_path / "old", make_tracks(30), tags=TAGS)
    write_generation(tmp_path / "new", make_tracks(30, scores=scores), tags=TAGS)
    for old, new in (("old", "new"), ("new", "old")):
        with pytest.raises(
            DatasetError, match=r"new: scores/gen-000/part-00001: expected scores from 0 to 1, found others"
        ):
            compare_tags(str(tmp_path / old), str(tmp_path / new))


def test_damaged_and_unfinished_tags_are_one_line(pair: Pair, tmp_path: Path, make_tracks: Tracks) -> None:
    with pytest.raises(UserError, match="expected tags, found no tags.json"):
        compare_tags(str(pair.old), str(tmp_path))
    (payload, *_) = sorted(pair.new.glob("scores/gen-000/*.parquet"))
    data = payload.read_bytes()
    payload.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    with pytest.raises(DatasetError, match="its bytes are not those of its done mark"):
        _diff(pair)
    payload.unlink()
    with pytest.raises(DatasetError, match="the scores are missing"):
        _diff(pair)
    write_generation(tmp_path / "elsewhere", make_tracks(9, first=1000), tags=TAGS)
    with pytest.raises(UserError, match="expected tracks with scores in both, found none among 300 and 9"):
        compare_tags(str(pair.old), str(tmp_path / "elsewhere"))
    manifest = TagsManifest.read(f"{pair.new}/tags.json")
    begun = dataclasses.replace(manifest.generations[0], records=None, rejects=None, tracks_sha256=None)
    (pair.new / "tags.json").write_bytes(dataclasses.replace(manifest, generations=(begun,)).to_bytes())
    with pytest.raises(UserError, match="the tagging is unfinished"):
        _diff(pair)


def test_catalogs_without_the_column_or_with_doubles_are_one_line(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected the column label, found track_id, uri, genre"):
        _diff(pair, by="label")
    (tmp_path / "double.csv").write_text("track_id,genre\nträck 00001,a\nträck 00001,b\n")
    with pytest.raises(UserError, match="--by genre: expected every track_id once in"):
        _diff(pair, by="genre", catalog=str(tmp_path / "double.csv"))


def test_the_gate_passes_up_to_its_limit(pair: Pair) -> None:
    found = _diff(pair)
    assert gate_of(found, found.rate).passed
    assert not gate_of(found, math.nextafter(found.rate, 0)).passed
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(UserError, match="--max-flips: expected 0 to 1"):
            gate_of(found, wrong)
        with pytest.raises(UserError, match="--threshold: expected 0 to 1"):
            DiffOptions(threshold=wrong)
    assert str(diff_report(found, FlipGate(0.5, found.rate), None)).count("passed: ") == 1


def test_the_same_tags_give_the_same_result(pair: Pair) -> None:
    assert diff_json(_diff(pair, by="group"), None) == diff_json(_diff(pair, by="group"), None)


def test_a_query_has_a_term_for_each_of_a_thousand_tags() -> None:
    tags, rng = 1000, np.random.default_rng(0)
    steps = rng.integers(0, 15_361, size=(2 * tags, 5)).astype(np.uint16)
    names = [f"{side}_{place}" for side in ("old", "new") for place in range(tags)]
    half = Thresholds((0.5,) * tags, "default")
    with open_database() as database:
        database.register(
            "made", pa.table({"number": pa.array(range(5), pa.int32()), **dict(zip(names, steps, strict=True))})
        )
        database.execute("CREATE TABLE pairs AS FROM made")
        count_flips(database, Decisions.at(half, half))
        rows = database.execute("SELECT gained, lost, size FROM flips ORDER BY number").fetchall()
    old, new = scores_of(steps[:tags]), scores_of(steps[tags:])
    flips = (old >= 0.5) != (new >= 0.5)
    assert [gained for gained, _, _ in rows] == (flips & (new > old)).sum(axis=0).tolist()
    assert [lost for _, lost, _ in rows] == (flips & (new < old)).sum(axis=0).tolist()
    assert [size * UNIT for *_, size in rows] == np.where(flips, abs(new - old), 0).sum(axis=0).tolist()
