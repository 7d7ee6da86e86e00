"""How a dataset and its payloads are opened, and which row of a track is the newest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.features import Family
from schemas.generations import newest_rows
from schemas.manifests import GenerationEntry, ShardManifest
from schemas.storage.files import write_atomic


def newest(*rows: tuple[str, int, int | None]) -> list[tuple[str, int, int | None]]:
    columns = zip(*rows, strict=True)
    types = (pa.string(), pa.int32(), pa.int32())
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, types, strict=True)]
    table = newest_rows(pa.table(arrays, names=["track_id", "generation", "record"]))
    return [tuple(row.values()) for row in table.to_pylist()]


def payload_of(root: Path, family: Family, generation: int, shard: int) -> tuple[str, ShardManifest]:
    opened = Dataset.open(str(root))
    return opened.payload(opened.spec(family), generation, shard)


def test_the_newest_record_of_a_track_wins() -> None:
    assert newest(("b", 0, 1), ("a", 0, 2), ("b", 2, 5), ("b", 1, 9)) == [("a", 0, 2), ("b", 2, 5)]


def test_a_record_outlives_a_later_reject() -> None:
    assert newest(("a", 0, 3), ("a", 1, None)) == [("a", 0, 3)]


def test_the_newest_of_rejects_alone_counts() -> None:
    assert newest(("a", 1, None), ("a", 0, None), ("b", 0, None), ("b", 1, 0)) == [("a", 1, None), ("b", 1, 0)]


def test_no_rows_have_no_newest() -> None:
    table = pa.table({"track_id": pa.array([], pa.string()), "generation": pa.array([], pa.int32())})
    assert newest_rows(table.append_column("record", pa.array([], pa.int32()))).num_rows == 0


def test_a_whole_dataset_opens(built_dataset: Path) -> None:
    opened = Dataset.open(f"{built_dataset}/")
    tracks = opened.newest_tracks()
    assert tracks["track_id"].to_pylist() == sorted(tracks["track_id"].to_pylist())
    assert opened.identity() == (opened.manifest.generations[0].tracks_sha256,)
    uri, mark = opened.payload(opened.spec("logmel"), 0, 0)
    assert Path(uri).stat().st_size == mark.bytes


def test_a_folder_without_a_dataset_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected a dataset, found no dataset\.json"):
        Dataset.open(str(tmp_path))


def test_a_build_with_nothing_finished_is_no_dataset_yet(dataset: Path) -> None:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    unfinished = dataclasses.replace(manifest, generations=(GenerationEntry(0, shards=4, tracks=24),))
    write_atomic(str(dataset / "dataset.json"), unfinished.to_bytes())
    with pytest.raises(UserError, match="its build is unfinished; run the same `.*pipeline.run build` command again"):
        Dataset.open(str(dataset))
    begun = Dataset.begun(str(dataset))
    assert (begun.manifest.generations, begun.under_way) == ((), unfinished.generations[0])
    assert begun.newest_tracks(["cause"]).num_rows == 0


def test_a_generation_under_way_hides_nothing_and_is_reported(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Dataset.open(str(dataset))
    unfinished = before.manifest.with_generation(GenerationEntry(1, shards=3, tracks=9))
    write_atomic(str(dataset / "dataset.json"), unfinished.to_bytes())
    for spec in before.manifest.families.values():
        folder = Path(before.layout.features(spec, 1))
        folder.mkdir()
        (folder / "part-00002.json").touch()
    opened = Dataset.open(str(dataset))
    assert (opened.manifest, opened.under_way) == (before.manifest, unfinished.generations[1])
    assert opened.shards_under_way() == [2]
    assert opened.newest_tracks() == before.newest_tracks()
    Dataset.open(str(dataset))
    words = f"note: {dataset}: gen-001 is under way (1 of 3 shards are done); what was finished before it is used\n"
    assert capsys.readouterr().err == words


def test_only_the_newest_generation_may_be_without_counts(dataset: Path) -> None:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    entry = manifest.generations[0]
    with pytest.raises(ValueError, match="expected only the newest one without counts"):
        dataclasses.replace(
            manifest, generations=(GenerationEntry(0, shards=1, tracks=1), dataclasses.replace(entry, generation=1))
        )


def test_a_family_that_is_not_held_is_the_users_error(dataset: Path) -> None:
    opened = Dataset.open(str(dataset))
    only = Dataset(opened.layout, DatasetManifest(opened.manifest.generations, {}, {"logmel": opened.spec("logmel")}))
    with pytest.raises(UserError, match="holds logmel, not waveform"):
        only.spec("waveform")


def test_a_missing_payload_is_named(dataset: Path) -> None:
    uri, _ = payload_of(dataset, "waveform", 0, 1)
    Path(uri).unlink()
    with pytest.raises(DatasetError, match="the payload is missing though its done mark is there") as error:
        payload_of(dataset, "waveform", 0, 1)
    assert uri in str(error.value)


def test_a_cut_payload_is_found_by_its_size(dataset: Path) -> None:
    uri, mark = payload_of(dataset, "waveform", 0, 1)
    Path(uri).write_bytes(Path(uri).read_bytes()[:-1])
    with pytest.raises(DatasetError, match=f"expected {mark.bytes} bytes, found {mark.bytes - 1}"):
        payload_of(dataset, "waveform", 0, 1)


def test_a_done_mark_of_another_shard_is_refused(dataset: Path) -> None:
    folder = next((dataset / "features").glob("waveform-*")) / "gen-000"
    (folder / "part-00001.json").write_bytes((folder / "part-00002.json").read_bytes())
    with pytest.raises(DatasetError, match=r"part-00001\.json: names the payload part-00002"):
        payload_of(dataset, "waveform", 0, 1)


def test_a_missing_done_mark_is_named(dataset: Path) -> None:
    mark = next((dataset / "features").glob("logmel-*")) / "gen-000" / "part-00000.json"
    mark.unlink()
    with pytest.raises(DatasetError, match=r"part-00000\.json: a shard's done mark is missing"):
        payload_of(dataset, "logmel", 0, 0)


def test_a_changed_tracks_table_is_found_by_its_checksum(dataset: Path) -> None:
    table = dataset / "tracks" / "gen-000.parquet"
    table.write_bytes(table.read_bytes() + b"\0")
    with pytest.raises(DatasetError, match="its checksum differs"):
        Dataset.open(str(dataset)).tracks_of(0)
    table.unlink()
    with pytest.raises(DatasetError, match="the tracks table is missing"):
        Dataset.open(str(dataset)).newest_tracks()
