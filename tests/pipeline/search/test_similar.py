"""A search is exact over what passes the filters, whatever grew, was removed or was damaged before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.search.similar import Similar, SimilarOptions, similar
from schemas.console.errors import DatasetError, UserError
from schemas.layout import Layout
from schemas.storage.stored_tables import table_bytes
from schemas.tables import REMOVED
from schemas.tags import SourceEntry, TagsLayout
from tests.pipeline.search.conftest import harm_file

Tracks = Callable[..., TaggedTracks]
TAGS = ("rock", "hip hop", "a>b", "tag <i>ünïcode</i>")


def expected(
    tracks: TaggedTracks, query: int, count: int, allowed: np.ndarray | None = None
) -> list[tuple[str, float]]:
    """Brute force in float64: ids and similarities, equal ones by id."""
    values = tracks.embeddings.astype(np.float64)
    norms = np.linalg.norm(values, axis=1)
    cosines = values @ values[query] / np.where(norms > 0, norms, 1) / norms[query]
    rows = [row for row in range(len(cosines)) if row != query and (allowed is None or allowed[row])]
    rows.sort(key=lambda row: (-round(cosines[row], 12), tracks.ids[row]))
    return [(tracks.ids[row], cosines[row]) for row in rows[:count]]


def check(found: Similar, wanted: list[tuple[str, float]]) -> None:
    assert [one.track_id for one in found.neighbours] == [track for track, _ in wanted]
    assert [one.similarity for one in found.neighbours] == pytest.approx([cosine for _, cosine in wanted], abs=1e-11)
    assert [one.rank for one in found.neighbours] == list(range(1, len(wanted) + 1))


def remove_tracks(layout: Layout, *ids: str) -> None:
    rows = {"track_id": sorted(ids), "purged": [False] * len(ids)}
    Path(layout.removed).write_bytes(table_bytes(pa.table(rows, schema=REMOVED)))


def index_files(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / "index").iterdir())}


def ids_of(found: Similar) -> set[str | None]:
    return {one.track_id for one in found.neighbours}


def test_the_nearest_are_those_of_brute_force_in_float64(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    for query in (0, 77, 299):
        found = similar(str(root), track=tracks.ids[query], options=SimilarOptions(25))
        check(found, expected(tracks, query, 25))
        assert (found.tracks, found.passing) == (300, 299)
    best = np.argsort(-tracks.scores[299].astype(float))[:3]
    assert found.query.top_tags == tuple((TAGS[tag], float(tracks.scores[299, tag])) for tag in best)
    assert found.neighbours[0].group == tracks.groups[tracks.ids.index(str(found.neighbours[0].track_id))]


def test_more_than_there_are_gives_all_in_order(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    check(similar(str(root), track=tracks.ids[5], options=SimilarOptions(1000)), expected(tracks, 5, 1000))


def test_embeddings_that_differ_by_one_rounding_are_told_apart(tmp_path: Path, make_tracks: Tracks) -> None:
    """float32 cannot order these; a search that trusts it would not find the nearest."""
    rng = np.random.default_rng(1)
    base = (1 + rng.random(37)).astype(np.float16)
    values = np.repeat(base[np.newaxis], 400, axis=0)
    for row in range(1, 400):
        place = rng.integers(37, size=2)
        values[row, place] = np.nextafter(values[row, place], np.float16(9))
    tracks = make_tracks(400, embeddings=values)
    write_generation(tmp_path / "tags", tracks)
    check(similar(str(tmp_path / "tags"), track=tracks.ids[0], options=SimilarOptions(40)), expected(tracks, 0, 40))


def test_equal_embeddings_are_ordered_by_id(tmp_path: Path, make_tracks: Tracks) -> None:
    made = make_tracks(200)
    order = np.random.default_rng(2).permutation(200)
    values = made.embeddings.copy()
    values[20:150] = values[20]
    values[100:150] *= np.float16(2)  # a multiple has the same direction
    ids = [made.ids[place] for place in order]
    tracks = make_tracks(200, embeddings=values, ids=ids)
    write_generation(tmp_path / "tags", tracks, shards=3)
    found = similar(str(tmp_path / "tags"), track=ids[20], options=SimilarOptions(129))
    assert [one.track_id for one in found.neighbours] == sorted(ids[21:150])
    assert {one.similarity for one in found.neighbours} == {1.0}


def test_zeros_are_near_to_nothing_and_are_no_query(tmp_path: Path, make_tracks: Tracks) -> None:
    values = make_tracks(50).embeddings.copy()
    values[7] = 0
    values[8] = np.inf
    values[9] = np.float16(6e-8)  # the smallest that float16 holds
    values[10] = np.float16(65504)  # and the largest
    tracks = make_tracks(50, embeddings=values)
    write_generation(tmp_path / "tags", tracks)
    allowed = np.arange(50) != 8
    with np.errstate(invalid="ignore"):
        found = similar(str(tmp_path / "tags"), track=tracks.ids[9], options=SimilarOptions(60))
        check(found, expected(tracks, 9, 60, allowed))
    with pytest.raises(UserError, match="its embedding is all zeros"):
        similar(str(tmp_path / "tags"), track=tracks.ids[7])
    with pytest.raises(UserError, match="too large for float16"):
        similar(str(tmp_path / "tags"), track=tracks.ids[8])


def test_filters_apply_before_the_search(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    rock, ab = (tracks.scores[:, TAGS.index(tag)].astype(float) for tag in ("rock", "a>b"))
    limit = float(tracks.scores[3, 0])
    conditions = {
        ("rock>0.5",): rock > 0.5,
        (f"rock >= {limit!r}",): rock >= limit,
        (f"rock>{limit!r}",): rock > limit,
        ("rock<0.1", "a>b<=0.3"): (rock < 0.1) & (ab <= 0.3),
        ("rock>0.999999",): rock > 0.999999,
    }
    for texts, allowed in conditions.items():
        found = similar(str(root), track=tracks.ids[11], options=SimilarOptions(20, texts))
        check(found, expected(tracks, 11, 20, allowed))
        assert found.passing == allowed.sum() - allowed[11]


def test_the_group_and_the_audio_of_the_query_can_be_left_out(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    group = np.array(tracks.groups) != tracks.groups[31]
    audio = np.array(tracks.pcm) != tracks.pcm[31]
    for options, allowed in (
        (SimilarOptions(300, not_same_group=True), group),
        (SimilarOptions(300, not_same_audio=True), audio),
        (SimilarOptions(300, ["rock>0.2"], True, True), group & audio & (tracks.scores[:, 0].astype(float) > 0.2)),
    ):
        check(similar(str(root), track=tracks.ids[31], options=options), expected(tracks, 31, 300, allowed))


def test_a_removed_track_vanishes_at_once_and_may_come_back(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    everything = SimilarOptions(300)
    before = similar(str(root), track=tracks.ids[0], options=everything)
    gone = tracks.ids[42]
    remove_tracks(TagsLayout(str(root)), gone)
    after = similar(str(root), track=tracks.ids[0], options=everything)
    assert ids_of(before) - ids_of(after) == {gone}
    assert after.tracks == 299
    with pytest.raises(UserError, match=r"'träck 00042' was removed from"):
        similar(str(root), track=gone)
    shutil.rmtree(root / "index")  # a new index lacks it altogether
    assert similar(str(root), track=tracks.ids[0], options=everything) == after
    Path(TagsLayout(str(root)).removed).unlink()
    assert similar(str(root), track=tracks.ids[0], options=everything) == before


def test_what_is_removed_from_the_tagged_dataset_is_removed(tmp_path: Path, make_tracks: Tracks) -> None:
    tracks, root = make_tracks(40), tmp_path / "tags"
    write_generation(root, tracks, source=SourceEntry("dataset", str(tmp_path / "data")))
    found = similar(str(root), track=tracks.ids[0], options=SimilarOptions(50))
    assert (found.missing_source, found.tracks) == (str(tmp_path / "data"), 40)
    dataset = Layout(str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    Path(dataset.manifest).write_text("{}")
    remove_tracks(dataset, tracks.ids[3], tracks.ids[4])
    found = similar(str(root), track=tracks.ids[0], options=SimilarOptions(50))
    assert (found.missing_source, found.tracks) == (None, 38)
    assert ids_of(found) == set(tracks.ids) - {tracks.ids[0], tracks.ids[3], tracks.ids[4]}


def test_a_new_generation_makes_a_new_index(tagged: tuple[Path, TaggedTracks], make_tracks: Tracks) -> None:
    root, tracks = tagged
    similar(str(root), track=tracks.ids[0])
    old = index_files(root)
    newer = make_tracks(100, seed=5, first=250)  # 50 tracks again, and 50 new ones
    write_generation(root, newer, shards=3)
    both = make_tracks(
        350,
        ids=tracks.ids[:250] + newer.ids,
        groups=tracks.groups[:250] + newer.groups,
        embeddings=np.concatenate([tracks.embeddings[:250], newer.embeddings]),
    )
    found = similar(str(root), track=newer.ids[60], options=SimilarOptions(400))
    check(found, expected(both, 310, 400))
    new = index_files(root)
    assert new.keys().isdisjoint(old)
    assert len(new) == 5


def test_the_index_is_the_same_bytes_whenever_it_is_made(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    similar(str(root), track=tracks.ids[0])
    made = index_files(root)
    shutil.rmtree(root / "index")
    similar(str(root), track=tracks.ids[1])
    assert index_files(root) == made


@pytest.mark.parametrize("ending", [".vectors", ".scores", ".parquet", ".removed", ".json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "lose"])
def test_a_damaged_index_is_made_again(
    tagged: tuple[Path, TaggedTracks], ending: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    root, tracks = tagged
    found = similar(str(root), track=tracks.ids[0], options=SimilarOptions(20, ["rock>0.1"]))
    whole = index_files(root)
    harm_file(root / "index", ending, harm)
    capsys.readouterr()
    assert similar(str(root), track=tracks.ids[0], options=SimilarOptions(20, ["rock>0.1"])) == found
    assert index_files(root) == whole
    said = capsys.readouterr().err
    assert (
        said.count("\n") == said.count("the index is made again") == (0 if (harm, ending) == ("lose", ".json") else 1)
    )


def test_the_index_of_another_model_is_not_used(tmp_path: Path, make_tracks: Tracks) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for root, seed, model in ((one, 0, "a" * 64), (other, 1, "b" * 64)):
        write_generation(root, make_tracks(60, seed=seed), model=model)
    tracks = make_tracks(60, seed=1)
    similar(str(one), track=tracks.ids[0])
    found = similar(str(other), track=tracks.ids[0])
    check(found, expected(tracks, 0, 10))
    names = {
        ending: next((other / "index").glob(f"*{ending}")).name
        for ending in (".vectors", ".scores", ".parquet", ".json")
    }
    for swapped in ([".parquet"], [".vectors"], names):
        for ending in swapped:
            shutil.copyfile(next((one / "index").glob(f"*{ending}")), other / "index" / names[ending])
        assert similar(str(other), track=tracks.ids[0]) == found


def test_damaged_scores_make_no_index(tagged: tuple[Path, TaggedTracks]) -> None:
    root, tracks = tagged
    file = next((root / "scores").rglob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(DatasetError, match="its bytes are not those of its done mark"):
        similar(str(root), track=tracks.ids[0])
    assert not list((root / "index").iterdir())
    file.unlink()
    with pytest.raises(DatasetError, match="the scores are missing"):
        similar(str(root), track=tracks.ids[0])


def test_rejected_tracks_are_explained(tmp_path: Path, make_tracks: Tracks) -> None:
    tracks = make_tracks(30, rejected={"träck 00004", "träck 00029"})
    write_generation(tmp_path / "tags", tracks, shards=3)
    allowed = np.array([track not in tracks.rejected for track in tracks.ids])
    check(
        similar(str(tmp_path / "tags"), track=tracks.ids[2], options=SimilarOptions(40)),
        expected(tracks, 2, 40, allowed),
    )
    with pytest.raises(
        UserError, match="'träck 00004' has no embedding in .*: it was rejected as decode_error: no audio"
    ):
        similar(str(tmp_path / "tags"), track="träck 00004")


def test_wrong_input_is_one_line(tagged: tuple[Path, TaggedTracks], tmp_path: Path, make_tracks: Tracks) -> None:
    root, tracks = tagged

    def refused(words: str, folder: Path = root, **given: object) -> None:
        with pytest.raises(UserError, match=words) as caught:
            similar(str(folder), **{"track": tracks.ids[0], **given})  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)

    refused("received 'track 00042'; did you mean 'träck 00042'", track="track 00042")
    refused("expected tags, found no tags.json", folder=tmp_path / "nothing")
    refused("either --track, a track of the index, or --file", track=None)
    refused("either --track, a track of the index, or --file", file="song.mp3")
    refused("--model: expected only with --file", model="model")
    refused("expected --model", track=None, file="song.mp3")
    refused(
        "--not-same-group: expected only with --track",
        track=None,
        file="a",
        model="b",
        options=SimilarOptions(1, (), True),
    )
    refused("received 'rok'; did you mean 'rock'", options=SimilarOptions(conditions=["rok>0.5"]))
    for text in ("rock", "rock>", ">0.5", "rock>1.5", "rock>nan", "rock=0.5", "rock>half"):
        refused("--tag: expected NAME>SCORE", options=SimilarOptions(conditions=[text]))
    with pytest.raises(UserError, match="--count: expected at least 1, received 0"):
        SimilarOptions(0)
    write_generation(tmp_path / "scores only", tracks, with_embeddings=False)
    refused("expected tags with embeddings, these were made with --no-embeddings", folder=tmp_path / "scores only")
    remove_tracks(TagsLayout(str(root)), *tracks.ids)
    refused("was removed")


def test_the_command_prints_a_table_and_json(tagged: tuple[Path, TaggedTracks], run_pipeline) -> None:
    root, tracks = tagged
    words = ("similar", "--index", root, "--track", tracks.ids[0], "--count", 3, "--tag", "rock>0.5")
    ended = run_pipeline(*words)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, titles, *rows = ended.stdout.splitlines()
    assert first.startswith(f"{root}: nearest to träck 00000, ")
    assert second.startswith("  tracks    300, ")
    assert second.endswith(" pass rock>0.5")
    assert titles.split() == ["rank", "track_id", "group", "similarity", "top", "tags"]
    fields = json.loads(run_pipeline(*words, "--json").stdout)
    assert [row["track_id"] for row in fields["results"]] == [" ".join(row.split()[1:3]) for row in rows]
    assert [row["rank"] for row in fields["results"]] == [1, 2, 3]
    assert fields["exact"] is True
    places = [f"{root.parent}/audio/{row['track_id']}.mp3" for row in fields["results"]]
    assert [row["uri"] for row in fields["results"]] == places
    ended = run_pipeline("similar", "--index", root, "--track", "nothing")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
