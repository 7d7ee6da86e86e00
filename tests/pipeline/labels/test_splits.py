from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.annotations import Annotations, read_annotations
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod, parse_ratios
from pipeline.labels.splits import Split, existing_split, make_split, require_filled, split_version
from pipeline.labels.summary import label_report
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.json_log import log_bytes
from schemas.storage.stored_tables import table_bytes
from schemas.tables import SPLIT, SPLITS


def _sides(split: Split) -> dict[str, str]:
    return dict(zip(split.table["track_id"].to_pylist(), split.table["split"].to_pylist(), strict=True))


def test_every_track_has_a_side_and_a_group_has_one(dataset: Path, small_corpus) -> None:
    split = make_split(Dataset.open(str(dataset)), "half", SplitMethod((50, 25, 25)))
    sides = _sides(split)
    assert sorted(sides) == sorted(row[0] for row in small_corpus.rows)
    of_group: dict[str, set[str]] = {}
    for track, _, group in small_corpus.rows:
        of_group.setdefault(group, set()).add(sides[track])
    assert all(len(found) == 1 for found in of_group.values())
    assert len(set(sides.values())) > 1
    assert split.counts == {**{side: list(sides.values()).count(side) for side in SPLITS}, "none": 0}


def test_the_same_request_gives_the_same_version_and_another_salt_another(dataset: Path) -> None:
    opened = Dataset.open(str(dataset))
    first = make_split(opened, "a", SplitMethod((50, 25, 25)))
    assert make_split(opened, "a", SplitMethod((50, 25, 25))).version == first.version
    assert make_split(opened, "b", SplitMethod((50, 25, 25))).version == first.version
    assert make_split(opened, "c", SplitMethod((50, 25, 25), salt="x")).version != first.version


def test_shares_follow_the_ratios_over_many_groups() -> None:
    from pipeline.jobs.plan import hash_position

    positions = [hash_position(f"artist {number}") for number in range(20_000)]
    assert sum(position < 0.8 for position in positions) / len(positions) == pytest.approx(0.8, abs=0.01)


def test_other_ratios_under_a_name_are_refused(dataset: Path) -> None:
    opened = Dataset.open(str(dataset))
    make_split(opened, "mine", SplitMethod((80, 10, 10)))
    with pytest.raises(UserError, match="tracks never change sides in it: choose another name"):
        make_split(opened, "mine", SplitMethod((70, 15, 15)))


def test_a_grown_dataset_extends_a_split_and_moves_no_track(small_corpus, tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    build(small_corpus.catalog, root, BuildOptions(workers=1, shards=2, limit=12))
    before = make_split(Dataset.open(root), "mine", SplitMethod((50, 25, 25), salt="s"))
    build(small_corpus.catalog, root, BuildOptions(workers=1, shards=2))
    after = existing_split(Dataset.open(root), "mine")
    assert len(_sides(after)) == 24
    assert {track: side for track, side in _sides(after).items() if track in _sides(before)} == _sides(before)


def test_the_catalogs_split_is_taken_where_it_says_something(small_corpus, tmp_path: Path) -> None:
    (tmp_path / "audio").symlink_to(small_corpus.folder / "audio")
    with open(tmp_path / "catalog.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["track_id", "uri", "split"])
        for number, (track, uri, _) in enumerate(small_corpus.rows[:8]):
            writer.writerow([track, uri, ("train", "train", "test", "")[number % 4]])
    root = str(tmp_path / "data")
    build(str(tmp_path / "catalog.csv"), root, BuildOptions(workers=1, shards=1))
    for method in (None, SplitMethod(ratios=None)):
        split = make_split(Dataset.open(root), "published", method)
        assert split.counts == {"train": 4, "validation": 0, "test": 2, "none": 2}


def test_without_a_split_column_there_is_none_to_take(dataset: Path) -> None:
    with pytest.raises(UserError, match="the catalog has no split column"):
        make_split(Dataset.open(str(dataset)), "published", SplitMethod(ratios=None))


def test_an_unknown_split_is_named_with_what_there_is_and_how_to_make_it(dataset: Path) -> None:
    opened = Dataset.open(str(dataset))
    with pytest.raises(UserError, match=r"'x'.*there is none.*make it with `.*pipeline.run split"):
        existing_split(opened, "x")
    make_split(opened, "mine", None)
    with pytest.raises(UserError, match="there are mine"):
        existing_split(opened, "x")


def test_ratios_and_names_are_checked(dataset: Path) -> None:
    assert parse_ratios("80,10,10") == (80, 10, 10)
    for text in ("80,20", "a,b,c", ""):
        with pytest.raises(UserError, match="--ratios: expected three numbers"):
            parse_ratios(text)
    for text in ("-1,1,1", "nan,1,1", "1,inf,1", "0,0,0", "1e308,1e308,0"):
        with pytest.raises(UserError, match="--ratios: expected three shares"):
            SplitMethod(parse_ratios(text))
    with pytest.raises(UserError, match="split name: expected at most 128 letters, received 300; choose a shorter one"):
        make_split(Dataset.open(str(dataset)), "a" * 300, None)
    with pytest.raises(UserError, match="split name: expected letters"):
        make_split(Dataset.open(str(dataset)), "../x", None)


def catalog_of_copies(folder: Path, rows: list[tuple[str, int, str]]) -> str:
    """A catalog with rows (id, sound, group); equal sound numbers mean the same recording."""
    for sound in {sound for _, sound, _ in rows}:
        noise = np.random.default_rng(abs(sound)).normal(scale=0.1, size=8_000)
        soundfile.write(folder / f"{sound}.wav", noise if sound >= 0 else np.zeros(8_000), 16_000)
    lines = ["track_id,uri,group", *(f"{track},{sound}.wav,{group}" for track, sound, group in rows)]
    (folder / "catalog.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "catalog.csv")


def test_the_same_audio_under_two_ids_never_straddles_a_split(tmp_path: Path) -> None:
    rows = [(f"track {number}", number // 2, f"artist {number}") for number in range(40)]
    build(catalog_of_copies(tmp_path, rows), str(tmp_path / "data"), BuildOptions(workers=1, shards=2))
    split = make_split(Dataset.open(str(tmp_path / "data")), "mine", SplitMethod((40, 30, 30)))
    sides = _sides(split)
    assert {len({sides[f"track {2 * pair}"], sides[f"track {2 * pair + 1}"]}) for pair in range(20)} == {1}
    assert len(set(sides.values())) == 3
    assert split.straddling == (0, ())


def test_silent_tracks_are_not_taken_for_one_recording(tmp_path: Path) -> None:
    rows = [(f"track {number}", -1, f"artist {number}") for number in range(40)]
    summary = build(catalog_of_copies(tmp_path, rows), str(tmp_path / "data"), BuildOptions(workers=1, shards=2))
    assert summary.same_audio == (0, ())
    split = make_split(Dataset.open(str(tmp_path / "data")), "mine", SplitMethod((40, 30, 30)))
    assert len(set(_sides(split).values())) == 3


def test_audio_that_comes_again_later_takes_its_side_and_moves_no_track(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    rows = [(f"track {number}", number, f"artist {number}") for number in range(30)]
    build(catalog_of_copies(tmp_path, rows), root, BuildOptions(workers=1, shards=2))
    before = _sides(make_split(Dataset.open(root), "mine", SplitMethod((40, 30, 30))))
    # Old audio comes again under new artists, whose names sort first and would move it if they counted alone, and under
    # another old artist.
    rows += [(f"again {number}", number, f"A newcomer {number}") for number in range(10)]
    rows += [("bridge", 0, "artist 29")]
    summary = build(catalog_of_copies(tmp_path, rows), root, BuildOptions(workers=1, shards=2))
    assert summary.same_audio[0] == 21
    after = existing_split(Dataset.open(root), "mine")
    sides = _sides(after)
    assert {track: sides[track] for track in before} == before
    assert all(sides[f"again {number}"] == before[f"track {number}"] for number in range(10))
    assert sides["bridge"] == before["track 29"]
    apart = before["track 0"] != before["track 29"]
    assert after.straddling[0] == int(apart)


def test_a_published_split_keeps_its_sides_and_says_what_straddles(tmp_path: Path) -> None:
    catalog_of_copies(tmp_path, [("a", 1, "x"), ("b", 1, "y"), ("c", 2, "z")])
    (tmp_path / "catalog.csv").write_text("track_id,uri,split\na,1.wav,train\nb,1.wav,test\nc,2.wav,train\n")
    build(str(tmp_path / "catalog.csv"), str(tmp_path / "data"), BuildOptions(workers=1))
    split = make_split(Dataset.open(str(tmp_path / "data")), "published", SplitMethod(ratios=None))
    assert _sides(split) == {"a": "train", "b": "test", "c": "train"}
    assert split.straddling == (1, ("a", "b"))


def test_a_published_split_that_parts_an_artist_says_so(tmp_path: Path) -> None:
    catalog_of_copies(tmp_path, [("a", 1, "x"), ("b", 2, "x"), ("c", 3, "z")])
    (tmp_path / "catalog.csv").write_text(
        "track_id,uri,group,split\na,1.wav,x,train\nb,2.wav,x,test\nc,3.wav,z,train\n"
    )
    build(str(tmp_path / "catalog.csv"), str(tmp_path / "data"), BuildOptions(workers=1))
    split = make_split(Dataset.open(str(tmp_path / "data")), "published", None)
    assert split.groups_apart == (1, ("x",))
    assert make_split(Dataset.open(str(tmp_path / "data")), "own", SplitMethod((80, 20, 0))).groups_apart == (0, ())


def _annotated(tmp_path: Path, tracks: list[str]) -> Annotations:
    """A tag on every fifth track, which is missing on some side if chance alone decides."""
    rows = [f"{track},{'rare' if number % 5 == 0 else 'frequent'}\n" for number, track in enumerate(tracks)]
    (tmp_path / "annotations.csv").write_text("track_id,tag\n" + "".join(rows))
    return read_annotations([str(tmp_path / "annotations.csv")])


def test_a_stratified_split_is_made_once_and_then_grows_without_moving_a_track(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    rows = [(f"track {number:02d}", number, f"artist {number}") for number in range(20)]
    rows += [("copy", 3, "artist 20")]  # the audio of track 03
    build(catalog_of_copies(tmp_path, rows), root, BuildOptions(workers=1, shards=2))
    annotations = _annotated(tmp_path, [row[0] for row in rows])
    method = SplitMethod((50, 25, 25), stratified=annotations.sha256)
    made = make_split(Dataset.open(root), "even", method, annotations)
    assert SplitMethod.from_dict(method.to_dict()) == method
    assert method.words == "stratified, ratios 50,25,25"
    before = _sides(made)
    rare = [before[f"track {number:02d}"] for number in range(0, 20, 5)]
    assert sorted(rare) == ["test", "train", "train", "validation"]
    assert before["copy"] == before["track 03"]
    assert make_split(Dataset.open(root), "even", method, annotations).version == made.version
    with pytest.raises(UserError, match="was made as .*stratified.*choose another name"):
        make_split(Dataset.open(root), "even", SplitMethod((50, 25, 25)))

    rows += [(f"track {number}", number, f"artist {number}") for number in range(20, 30)]
    rows += [("late", 40, "artist 3")]
    build(catalog_of_copies(tmp_path, rows), root, BuildOptions(workers=1, shards=2))
    after = _sides(existing_split(Dataset.open(root), "even"))
    assert len(after) == 32
    assert {track: after[track] for track in before} == before
    assert after["late"] == before["track 03"]


def test_a_stratified_split_is_the_same_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = [(f"track {number:02d}", number, f"artist {number // 2}") for number in range(20)]
    versions = []
    for order in (rows, rows[::-1]):
        root = str(tmp_path / f"data {len(versions)}")
        build(catalog_of_copies(tmp_path, order), root, BuildOptions(workers=1))
        annotations = _annotated(tmp_path, [row[0] for row in rows])
        method = SplitMethod(stratified=annotations.sha256)
        versions.append(make_split(Dataset.open(root), "even", method, annotations).version)
    assert versions[0] == versions[1]


def test_the_command_stratifies_and_refuses_what_contradicts(dataset: Path, small_corpus, run_pipeline) -> None:
    command = ("split", "--dataset", dataset, "--name", "even", "--ratios", "50,25,25", "--stratify")
    ended = run_pipeline(*command, small_corpus.annotations)
    assert ended.returncode == 0, ended.stderr
    assert "split even@" in ended.stdout
    for others in (("--from-catalog",), ("--from-catalog", "--salt", "x")):
        refused = run_pipeline(
            "split", "--dataset", dataset, "--name", "x", *others, "--stratify", small_corpus.annotations
        )
        assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
        assert "--from-catalog: expected without" in refused.stderr


def test_the_hash_of_a_split_is_over_each_pair_of_track_and_side() -> None:
    ids = ["a", 'b"],["c', '"],["', "\\", 'd\\"],["', "音", *(f"track {number}" for number in range(70_000))]
    table = pa.table({"track_id": ids, "split": ["train", "test"] * (len(ids) // 2)})
    digest = hashlib.sha256()
    for track, side in zip(ids, table["split"].to_pylist(), strict=True):
        digest.update(json.dumps([track, side], separators=(",", ":"), ensure_ascii=False).encode())
    assert split_version(table) == digest.hexdigest()[:12]


def test_the_default_split_of_a_few_artists_leaves_no_side_empty_whatever_the_salt(dataset: Path) -> None:
    opened = Dataset.open(str(dataset))
    made = {make_split(opened, f"s{salt}", SplitMethod(salt=str(salt))).counts.values() for salt in range(10)}
    sides = {tuple(counts) for counts in made}
    assert sides == {(18, 3, 3, 0)}  # 24 tracks of 8 artists, of whom 6, 1 and 1 are on the sides
    assert len({make_split(opened, f"s{salt}", None).version for salt in range(10)}) > 5


def test_fewer_artists_than_sides_are_refused_with_what_to_do(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    build(catalog_of_copies(tmp_path, [("a", 1, "x"), ("b", 2, "x"), ("c", 3, "y")]), root, BuildOptions(workers=1))
    opened = Dataset.open(root)
    with pytest.raises(
        UserError,
        match=r"for each of train, validation, test.*received 2 in .*: `\S*python -m .* --name mine --ratios 80,20,0`",
    ):
        make_split(opened, "mine", None)
    assert not (tmp_path / "data" / "splits").exists()
    assert make_split(opened, "mine", SplitMethod((80, 20, 0))).counts == {
        "train": 2,
        "validation": 1,
        "test": 0,
        "none": 0,
    }


def test_labels_may_be_tried_on_one_artist_with_a_warning_about_training(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    build(catalog_of_copies(tmp_path, [("a", 1, "x"), ("b", 2, "x")]), root, BuildOptions(workers=1))
    (tmp_path / "tags.csv").write_text("track_id,tag\na,loud\n")
    (tmp_path / "set.yaml").write_text("name: mine\n")
    summary = lay_labels(root, [str(tmp_path / "tags.csv")], str(tmp_path / "set.yaml"))
    assert summary.tracks == {"train": 2, "validation": 0, "test": 0}
    assert "warning: there is no validation track: `train` refuses these labels" in str(label_report(summary, root))
    with pytest.raises(UserError, match=r"received 1 in .* --ratios 100,0,0"):
        make_split(Dataset.open(root), "mine", SplitMethod())


def test_artists_who_share_audio_count_once(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    rows = [("a", 1, "x"), ("b", 1, "y"), ("c", 3, "z")]
    build(catalog_of_copies(tmp_path, rows), root, BuildOptions(workers=1))
    with pytest.raises(UserError, match="received 3 that share audio and stay together"):
        make_split(Dataset.open(root), "mine", None)


def test_an_empty_side_of_an_older_split_is_filled_by_artists_that_come_later(small_corpus, tmp_path: Path) -> None:
    root = tmp_path / "data"
    build(small_corpus.catalog, str(root), BuildOptions(workers=1, shards=2, limit=4))
    before = make_split(Dataset.open(str(root)), "mine", SplitMethod())
    # An older version assigned sides by the hash alone, which put everything in train.
    table = pa.table({"track_id": before.table["track_id"], "split": pa.array(["train"] * 4)}).cast(SPLIT)
    old = split_version(table)
    (root / "splits" / "mine" / f"{old}.parquet").write_bytes(table_bytes(table))
    line = {"version": old, "made": SplitMethod().to_dict(), "tracks": 4}
    (root / "splits" / "mine" / "log.jsonl").write_bytes(log_bytes([line]))
    with pytest.raises(
        UserError, match="has no validation and no test track.*split --dataset .* --name mine-2 --ratios"
    ):
        require_filled(Dataset.open(str(root)), existing_split(Dataset.open(str(root)), "mine"))
    build(small_corpus.catalog, str(root), BuildOptions(workers=1, shards=2))
    grown = existing_split(Dataset.open(str(root)), "mine")
    require_filled(Dataset.open(str(root)), grown)
    assert grown.counts == {"train": 18, "validation": 3, "test": 3, "none": 0}
    assert {_sides(grown)[track] for track in before.table["track_id"].to_pylist()} == {"train"}


def test_a_stratified_split_leaves_no_side_empty_where_the_tags_would(dataset: Path, small_corpus, tmp_path) -> None:
    (tmp_path / "one.csv").write_text(f"track_id,tag\n{small_corpus.rows[0][0]},rare\n")
    annotations = read_annotations([str(tmp_path / "one.csv")])
    method = SplitMethod((98, 1, 1), stratified=annotations.sha256)
    split = make_split(Dataset.open(str(dataset)), "even", method, annotations)
    assert split.counts == {"train": 18, "validation": 3, "test": 3, "none": 0}
