"""If a bit flips in any kind of file of a dataset, `verify` names the file, and the file's reader refuses it by name.

The other possibility is that the bit changes nothing that is read, which the tests show by reading it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.decode.generations import close_generation
from pipeline.decode.run_times import read_run_times
from pipeline.decode.shards import ShardJob
from pipeline.decode.sources import changed_tracks
from pipeline.info.overview import info
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split, read_split, split_log
from pipeline.removal.prune import prune
from pipeline.removal.remove import known_runs, remove
from pipeline.verify import verify
from schemas.console.errors import DatasetError, TagscaleError
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.features import FeatureSpec
from schemas.label_version import open_labels, versions_in_order
from schemas.plan_file import PlanReader
from schemas.storage.checksums import CHECKSUM
from schemas.storage.files import read_range
from schemas.tfrecord import unframe
from tests.faults.rot.conftest import EveryKind
from tests.flipped_bits import flipped, refusal

FLIPS = 40
VERIFIED = 5  # verify runs for one in this many flips, the reader for every one


def _features(dataset: Dataset, name: str) -> Any:
    """The spec of a family by its name: `logmel` is the built one, `derived` is the derived log-mel."""
    if name == "derived":
        return dataset.manifest.derived[0].spec
    return dataset.manifest.families[name]  # type: ignore[index]


def _records(dataset: Dataset, spec: FeatureSpec, generation: int, shard: int) -> list[Any]:
    """Every record of a shard, read as training does it: by its place, and checked against its checksum."""
    uri, mark = dataset.payload(spec, generation, shard)
    tracks = dataset.tracks_of(generation)
    places = dataset.places(spec, tracks).to_pylist()
    found: list[Any] = [mark]
    for row, place in zip(tracks.to_pylist(), places, strict=True):
        if row["shard"] == shard and row["record"] is not None:
            payload = unframe(read_range(uri, place["offset"], place["length"]), where=uri)
            track, values = decode_example(spec.family, payload, where=uri)
            found.append((track, values.tolist()))
    return found


def _plan(uri: Path) -> list[Any]:
    plan = PlanReader(str(uri))
    return [plan.metadata, plan.tracks, plan.sizes, *(plan.shard(number).to_pylist() for number in range(plan.shards))]


def _labels(dataset: Dataset, reference: str) -> tuple[Any, ...]:
    labels = open_labels(dataset, reference)
    return labels.manifest, labels.vocabulary, labels.table.to_pylist()


def _closed(kind: EveryKind, dataset: Dataset) -> Any:
    job = ShardJob(str(kind.root), 0, dataset.manifest.families, audio_root="")
    entry, table = close_generation(job, dataset.manifest.generations[0])
    return entry, table.to_pylist()


def _file(kind: EveryKind, pattern: str) -> Path:
    return sorted(kind.root.glob(pattern))[0]


def _readers(kind: EveryKind) -> dict[str, tuple[Path, Callable[[], Any]]]:
    """Kind of file -> one such file, and the function that reads it."""
    root = str(kind.root)
    dataset = Dataset.open(root)
    newest = versions_in_order(dataset, "mine")[-1]
    labels = kind.root / "labels" / "mine"
    made = split_log(dataset, "default")[-1]["version"]
    found: dict[str, tuple[Path, Callable[[], Any]]] = {
        "dataset.json": (kind.root / "dataset.json", lambda: Dataset.open(root).manifest),
        "plan": (kind.root / "plan" / "gen-000.parquet", lambda: _plan(kind.root / "plan" / "gen-000.parquet")),
        "tracks": (kind.root / "tracks" / "gen-001.parquet", lambda: dataset.newest_tracks().to_pylist()),
        "tracks part": (_file(kind, "tracks/gen-000/*"), lambda: _closed(kind, dataset)),
        "tombstones": (kind.root / "removed.parquet", lambda: dataset.removed().to_pylist()),
        "split": (
            kind.root / "splits" / "default" / f"{made}.parquet",
            lambda: read_split(dataset, "default", made).to_pylist(),
        ),
        "log of a split": (kind.root / "splits" / "default" / "log.jsonl", lambda: split_log(dataset, "default")),
        "log of a label set": (labels / "log.jsonl", lambda: versions_in_order(dataset, "mine")),
        "note of a run": (
            kind.root / "runs" / "train-0123456789ab.json",
            lambda: known_runs(dataset.layout),
        ),
    }
    for name in ("vocabulary.txt", "labels.parquet", "labels.json"):
        found[name] = (labels / newest / name, lambda: _labels(dataset, "mine"))
    for name in ("logmel", "waveform", "derived"):
        spec = _features(dataset, name)
        payload = dataset.payload(spec, 0, 0)[0]
        read = lambda spec=spec: _records(dataset, spec, 0, 0)  # noqa: E731
        found[f"payload of {name}"] = (Path(payload), read)
        found[f"done mark of {name}"] = (Path(payload).with_name("part-00000.json"), read)
    return found


@pytest.fixture
def whole(every_kind: EveryKind) -> Iterator[EveryKind]:
    """The dataset; its files are restored after the test."""
    before = {path: path.read_bytes() for path in every_kind.root.rglob("*") if path.is_file()}
    yield every_kind
    for path, data in before.items():
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)


KINDS = (
    "dataset.json",
    "plan",
    "tracks",
    "tracks part",
    "tombstones",
    "split",
    "log of a split",
    "log of a label set",
    "note of a run",
    "vocabulary.txt",
    "labels.parquet",
    "labels.json",
    *(f"{what} of {name}" for what in ("payload", "done mark") for name in ("logmel", "waveform", "derived")),
)


@pytest.mark.parametrize("name", KINDS)
def test_a_flipped_bit_is_found_by_verify_and_refused_by_the_reader(name: str, whole: EveryKind) -> None:
    path, read = _readers(whole)[name]
    data, expected = path.read_bytes(), read()
    refused = 0
    for number, damaged in enumerate(flipped(data, VERIFIED * FLIPS)):
        path.write_bytes(damaged)
        said = refusal(read, expected)
        if said is None:
            continue
        refused += 1
        assert path.name in said, said
        if number % VERIFIED == 0:
            assert any(path.name in problem for problem in _problems(whole.root)), said
    path.write_bytes(data)
    assert refused > 0
    assert read() == expected


def _problems(root: Path) -> tuple[str, ...]:
    """The problems that verify reports; an error that is not meant for the user fails the test."""
    try:
        return verify(str(root)).problems
    except TagscaleError as error:
        return (str(error),)


def test_what_lies_in_runs_may_be_lost(whole: EveryKind) -> None:
    """These are times, counters, and the state of the sources; without the latter, sources are read again."""
    dataset = whole.open()
    catalog = pa.table({"track_id": ["00"], "uri": ["00.wav"]})
    folder = str(Path(whole.catalog).parent)
    for path, read in (
        (whole.root / "runs" / "build-gen-000.json", lambda: read_run_times(dataset.layout, 0)),
        (
            whole.root / "runs" / "sources.parquet",
            lambda: changed_tracks(dataset, catalog, folder, lambda *_: None).to_pylist(),
        ),
    ):
        data, expected = path.read_bytes(), read()
        for damaged in flipped(data, FLIPS):
            path.write_bytes(damaged)
            assert read() in (expected, {})
        path.write_bytes(data)
        assert verify(str(whole.root)).problems == ()


@pytest.mark.parametrize("name", ["vocabulary.txt", "labels.parquet", "labels.json", "log.jsonl"])
def test_a_damaged_newest_label_version_does_not_block_the_next_and_is_repaired_by_the_same_labels(
    name: str, whole: EveryKind, tmp_path: Path
) -> None:
    root, folder = str(whole.root), whole.root / "labels" / "mine"
    newest = versions_in_order(whole.open(), "mine")[-1]
    path = folder / name if name == "log.jsonl" else folder / newest / name
    data, log = path.read_bytes(), (folder / "log.jsonl").read_bytes()
    (tmp_path / "next.yaml").write_text("name: mine\ntags: [slow]\n")
    for damaged in list(flipped(data, FLIPS))[:: FLIPS // 5]:
        path.write_bytes(damaged)
        laid = lay_labels(root, [whole.annotations], str(tmp_path / "next.yaml"))
        assert open_labels(whole.open(), "mine").reference == f"mine@{laid.version}"
        again = lay_labels(root, [whole.annotations], whole.label_set)
        assert (again.version, again.is_new) == (newest, False)
        assert open_labels(whole.open(), "mine").reference == f"mine@{newest}"
        assert path.read_bytes() == data or name == "log.jsonl"
        assert verify(root).problems == ()
        shutil.rmtree(folder / laid.version)
        (folder / "log.jsonl").write_bytes(log)


def test_a_removal_goes_on_where_labels_and_notes_are_damaged(
    whole: EveryKind, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = versions_in_order(whole.open(), "mine")[-1]
    damaged = [whole.root / "labels" / "mine" / newest / "labels.parquet", next(whole.root.glob("runs/train-*"))]
    for path in damaged:
        path.write_bytes(next(flipped(path.read_bytes(), 1)))
    (tmp_path / "gone.txt").write_text("07\n")
    assert remove(str(whole.root), str(tmp_path / "gone.txt")).removed == 1
    warned = capsys.readouterr().err.splitlines()
    assert [path.name in line for path, line in zip(damaged, warned, strict=True)] == [True, True]


def test_prune_removes_nothing_while_it_cannot_know_what_runs_need(whole: EveryKind) -> None:
    note = next(whole.root.glob("runs/train-*"))
    note.write_bytes(next(flipped(note.read_bytes(), 1)))
    with pytest.raises(DatasetError, match=rf"{note.name}: expected the note of a training run.*or remove the file"):
        prune(str(whole.root), ["label-versions"], delete=True)


def test_files_of_an_earlier_version_carry_no_checksum_and_are_read(whole: EveryKind) -> None:
    """The test writes files as earlier versions did: JSON with the fields alone, and Parquet without the checksum key."""
    before = {name: read() for name, (_, read) in _readers(whole).items() if name != "tracks part"}
    for path in [path for path in whole.root.rglob("*.json*") if path.is_file()]:
        ends = "\n" if path.suffix == ".jsonl" else ""
        texts = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        fields = [{key: value for key, value in json.loads(text).items() if key != CHECKSUM} for text in texts]
        path.write_text("".join(json.dumps(entry) + ends for entry in fields))
    for pattern in ("removed.parquet", "splits/*/*.parquet", "labels/*/*/*.parquet", "plan/*.parquet"):
        for path in whole.root.glob(pattern):
            table = pq.read_table(path)
            kept = {} if "plan" not in pattern else {b"tagscale": json.dumps(PlanReader(str(path)).metadata).encode()}
            with pq.ParquetWriter(path, table.schema.with_metadata(kept), compression="zstd") as writer:
                for group in table.group_by("shard").aggregate([])["shard"].to_pylist() if kept else [None]:
                    rows = table if group is None else table.filter(pc.equal(table["shard"], group))
                    writer.write_table(rows.replace_schema_metadata(kept))
    assert b"sha256" not in (whole.root / "removed.parquet").read_bytes()
    assert verify(str(whole.root)).problems == ()
    assert {name: read() for name, (_, read) in _readers(whole).items() if name != "tracks part"} == before
    # The next line of a log has a checksum, which covers the lines before it too.
    lay_labels(str(whole.root), [whole.annotations], whole.label_set)
    make_split(whole.open(), "default", None)
    assert verify(str(whole.root)).problems == ()


def test_a_lost_line_of_a_log_shows(whole: EveryKind) -> None:
    log = whole.root / "labels" / "mine" / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    for left in (lines[1:], lines[:0]):
        log.write_bytes(b"".join(left))
        with pytest.raises(DatasetError, match=r"log\.jsonl: .*; lay the same label set again"):
            versions_in_order(whole.open(), "mine")


def _left(root: Path, but: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path != but}


def test_a_lost_log_of_a_split_is_found_and_no_track_changes_sides(whole: EveryKind) -> None:
    """The split `default` has its own ratios, which only the log records; `other` has the default ratios."""
    root, dataset = str(whole.root), whole.open()
    log = dataset.layout.split_log("default")
    readers: tuple[Callable[[], Any], ...] = (
        lambda: make_split(dataset, "default", None),
        lambda: make_split(dataset, "default", SplitMethod((80, 10, 10))),
        lambda: lay_labels(root, [whole.annotations], whole.label_set),
        lambda: info(root),
    )
    Path(log).unlink()
    before = _left(whole.root, Path(log))
    for read in readers:
        assert f"{log}: the log of the split is missing" in (refusal(read, None) or "")
    assert any(log in problem for problem in _problems(whole.root))
    assert prune(root, ["orphans"], delete=True).paths == ()
    assert _left(whole.root, Path(log)) == before
    # A command that was stopped between the two files is finished by the same command.
    make_split(dataset, "default", SplitMethod((50, 25, 25), salt="c"))
    assert _problems(whole.root) == ()


def test_the_log_of_another_split_makes_no_version_an_orphan(whole: EveryKind) -> None:
    layout = whole.open().layout
    Path(layout.split_log("other")).write_bytes(Path(layout.split_log("default")).read_bytes())
    assert prune(str(whole.root), ["orphans"], delete=True).paths == ()
    assert _problems(whole.root) != ()


def test_a_lost_log_of_a_label_set_is_found_and_its_split_is_kept(whole: EveryKind) -> None:
    root, log = str(whole.root), whole.open().layout.label_log("mine")
    Path(log).unlink()
    for read in (lambda: open_labels(whole.open(), "mine"), lambda: info(root)):
        assert f"{log}: the log of the label set is missing" in (refusal(read, None) or "")
    assert any(log in problem for problem in _problems(whole.root))
    laid = lay_labels(root, [whole.annotations], whole.label_set)
    assert (laid.is_new, laid.split[0]) == (False, "default")
    assert log in (laid.not_compared or "")
    assert _problems(whole.root) == ()


def test_the_log_of_another_label_set_is_found(whole: EveryKind, tmp_path: Path) -> None:
    root, log = str(whole.root), whole.open().layout.label_log("mine")
    (tmp_path / "another.yaml").write_text("name: another\ntags: [slow]\n")
    lay_labels(root, [whole.annotations], str(tmp_path / "another.yaml"))
    Path(log).write_bytes(Path(whole.open().layout.label_log("another")).read_bytes())
    try:
        assert f"{log}: names " in (refusal(lambda: open_labels(whole.open(), "mine"), None) or "")
        assert any(log in problem for problem in _problems(whole.root))
    finally:
        shutil.rmtree(whole.root / "labels" / "another")


def test_a_version_whose_manifest_is_lost_is_neither_pruned_nor_an_orphan(whole: EveryKind) -> None:
    root = str(whole.root)
    newest = versions_in_order(whole.open(), "mine")[-1]
    lost = whole.root / "labels" / "mine" / newest / "labels.json"
    lost.unlink()
    for read in (lambda: open_labels(whole.open(), f"mine@{newest}"), lambda: info(root)):
        assert str(lost) in (refusal(read, None) or "")
    assert any(str(lost.parent) in problem for problem in _problems(whole.root))
    assert prune(root, ["orphans"], delete=True).paths == ()


def test_a_version_that_was_pruned_is_not_offered_again(whole: EveryKind) -> None:
    oldest, newest = versions_in_order(whole.open(), "mine")
    shutil.rmtree(whole.root / "labels" / "mine" / oldest)
    said = refusal(lambda: open_labels(whole.open(), f"mine@{oldest}"), None) or ""
    assert f"no such version in {whole.root}, since it was pruned or lost; there are {newest}" in said
    assert f"did you mean '{oldest}'" not in said
