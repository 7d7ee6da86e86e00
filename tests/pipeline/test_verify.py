from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.overlay import lay_labels
from pipeline.verify import verify
from schemas.console.errors import UserError
from schemas.storage.checksums import with_checksum


def _payloads(dataset: Path, family: str = "logmel") -> list[Path]:
    return sorted((dataset / "features").glob(f"{family}-*/gen-000/*.tfrecord"))


def _problem(dataset: Path, *, deep: bool = False) -> str:
    """The problems of a dataset, which must have some."""
    problems = verify(str(dataset), deep=deep).problems
    assert problems
    return "\n".join(problems)


@pytest.fixture
def labelled(dataset: Path, small_corpus) -> Path:
    lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    return dataset


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_dataset_reconciles(labelled: Path, small_corpus, deep: bool) -> None:
    seen: list[tuple[int, int]] = []
    report = verify(str(labelled), deep=deep, on_progress=lambda done, total: seen.append((done, total)))
    assert report.problems == ()
    assert (report.tracks, report.records, report.rejects) == (len(small_corpus.rows), len(small_corpus.rows), 0)
    assert report.payloads == len(_payloads(labelled)) + len(_payloads(labelled, "waveform"))
    assert report.bytes == sum(path.stat().st_size for path in labelled.rglob("*.tfrecord"))
    assert (report.label_versions, report.deep) == (1, deep)
    assert seen[-1] == (report.payloads, report.payloads)


def test_a_missing_payload_is_named(dataset: Path) -> None:
    _payloads(dataset)[1].unlink()
    assert _payloads(dataset, "waveform")[1].name[:10] in _problem(dataset)
    assert "the payload is missing though its done mark is there" in _problem(dataset)


@pytest.mark.parametrize("family", ["logmel", "waveform"])
def test_one_flipped_byte_is_found(dataset: Path, family: str) -> None:
    payload = _payloads(dataset, family)[2]
    data = bytearray(payload.read_bytes())
    data[len(data) // 3] ^= 4
    payload.write_bytes(data)
    problem = _problem(dataset)
    assert payload.name in problem
    assert "SHA-256 differs" in problem


def test_a_payload_cut_on_a_record_boundary_is_found(dataset: Path) -> None:
    from schemas.tfrecord import read_records

    payload = _payloads(dataset)[0]
    with open(payload, "rb") as file:
        last = [offset for offset, _ in read_records(file, where="payload")][-1]
    payload.write_bytes(payload.read_bytes()[:last])
    assert "the file was cut or replaced" in _problem(dataset)


def test_two_swapped_payloads_are_found(dataset: Path) -> None:
    one, other = _payloads(dataset)[:2]
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert len(verify(str(dataset)).problems) == 2


def test_a_done_mark_of_another_shard_is_found(dataset: Path) -> None:
    one, other = (path.parent / f"{path.name[:10]}.json" for path in _payloads(dataset)[:2])
    shutil.copyfile(one, other)
    assert "the mark is another shard's or was changed" in _problem(dataset)


def test_a_tracks_table_that_is_not_the_manifests_is_found(dataset: Path) -> None:
    part = next((dataset / "tracks" / "gen-000").glob("*.parquet"))
    shutil.copyfile(part, dataset / "tracks" / "gen-000.parquet")
    assert "(its checksum differs)" in _problem(dataset)


def test_a_plan_of_other_tracks_is_found(dataset: Path, small_corpus, tmp_path: Path) -> None:
    other = tmp_path / "other"
    build(small_corpus.catalog, str(other), BuildOptions(workers=1, shards=3, limit=12))
    shutil.copyfile(other / "plan" / "gen-000.parquet", dataset / "plan" / "gen-000.parquet")
    assert "plans 12 tracks" in _problem(dataset)


def test_counts_that_do_not_reconcile_are_found(dataset: Path) -> None:
    marks = sorted((dataset / "features").glob("logmel-*/gen-000/*.json"))
    fields = json.loads(marks[0].read_text())
    fields["records"] -= 1
    marks[0].write_text(json.dumps(with_checksum(fields)))
    assert "its done mark counts" in _problem(dataset)


def test_a_record_of_another_track_is_found_by_a_deep_look(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The payload was wrong from the start: its checksums agree, but its records are in another order."""
    import hashlib
    import io

    from schemas.tfrecord import frame, read_records

    payload = _payloads(dataset)[0]
    records = [record for _, record in read_records(io.BytesIO(payload.read_bytes()), where="payload")]
    same_size = [(a, b) for a in range(len(records)) for b in range(a) if len(records[a]) == len(records[b])]
    a, b = same_size[0]
    records[a], records[b] = records[b], records[a]
    data = b"".join(map(frame, records))
    digest = hashlib.sha256(data).hexdigest()
    mark = payload.parent / f"{payload.name[:10]}.json"
    fields = json.loads(mark.read_text())
    renamed = payload.with_name(f"{payload.name[:11]}{digest[:16]}.tfrecord")
    payload.unlink()
    renamed.write_bytes(data)
    mark.write_text(json.dumps(with_checksum({**fields, "payload": renamed.name, "sha256": digest})))
    assert verify(str(dataset)).problems == ()
    assert "the tracks table expects" in _problem(dataset, deep=True)


def test_labels_of_another_dataset_are_found(labelled: Path, small_corpus, tmp_path: Path) -> None:
    other = tmp_path / "other"
    build(small_corpus.catalog, str(other), BuildOptions(workers=1, shards=3, limit=12))
    shutil.copytree(labelled / "labels", other / "labels")
    assert "was laid over another dataset's tracks" in _problem(other)


def test_a_vocabulary_that_lost_a_tag_and_a_version_cut_short_are_found(labelled: Path) -> None:
    version = next(path for path in (labelled / "labels" / "small").iterdir() if path.is_dir())
    (version / "vocabulary.txt").write_text("low\n")
    assert "holds 24 tracks and 1 tags in labels.parquet and vocabulary.txt, its manifest says 24 and 3" in _problem(
        labelled
    )
    (version / "labels.json").unlink()
    assert "laying the label set was cut short" in _problem(labelled)


def test_labels_that_changed_without_a_change_of_their_number_are_found(labelled: Path) -> None:
    version = next(path for path in (labelled / "labels" / "small").iterdir() if path.is_dir())
    (version / "vocabulary.txt").write_text("noise\nlow\ntremolo\n")
    assert "its labels have changed" in _problem(labelled)


def test_a_version_under_another_name_is_found(labelled: Path) -> None:
    (labelled / "labels" / "small").rename(labelled / "labels" / "large")
    assert "its manifest is that of small@" in _problem(labelled)


def test_a_tracks_part_of_another_shard_is_found(dataset: Path) -> None:
    parts = sorted((dataset / "tracks" / "gen-000").glob("*.parquet"))
    shutil.copyfile(parts[0], parts[1])
    assert "part-00001.parquet: not the tracks part that the done mark" in _problem(dataset)


def test_a_done_mark_that_names_another_shards_payload_of_the_same_size_is_found(dataset: Path) -> None:
    marks = sorted((dataset / "features").glob("waveform-*/gen-000/part-*.json"))
    fields, other = (json.loads(mark.read_text()) for mark in marks[:2])
    payload = marks[0].with_name(fields["payload"])
    payload.unlink()
    payload.with_name(other["payload"]).write_bytes(b"0" * fields["bytes"])
    marks[0].write_text(json.dumps(with_checksum({**fields, "payload": other["payload"]})))
    assert "part-00000.json: names the payload part-00001" in _problem(dataset)


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a dataset, found no dataset.json"):
        verify(str(tmp_path))


def test_the_command_exits_with_0_only_if_everything_reconciles(dataset: Path, run_pipeline) -> None:
    whole = run_pipeline("verify", "--dataset", dataset, "--deep")
    assert (whole.returncode, whole.stdout.splitlines()[-1]) == (0, "everything reconciles")
    _payloads(dataset)[0].unlink()
    broken = run_pipeline("verify", "--dataset", dataset)
    assert broken.returncode == 1
    assert "  problem: " in broken.stdout
    assert "everything reconciles" not in broken.stdout
    assert "Traceback" not in broken.stderr
