"""A build writes the same bytes for any order, worker count and resume; it grows by generations and refuses to mix jobs."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.decode.run_times import added_counters
from pipeline.verify import verify
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.examples import decode_example
from schemas.features import spec_from_dict
from schemas.sole_writer import sole_writer
from schemas.storage.checksums import with_checksum
from schemas.storage.files import read_range
from schemas.tfrecord import unframe
from tests.conftest import TRACKS, RunPipeline, SmallCorpus, small_catalog

Contents = Callable[..., dict[str, str]]
ONE = BuildOptions(workers=1, shards=4)


@pytest.mark.slow
def test_two_worker_processes_give_the_bytes_of_one(
    small_corpus: SmallCorpus, built_dataset: Path, tmp_path: Path, contents: Contents
) -> None:
    summary = build(small_corpus.catalog, str(tmp_path / "data"), BuildOptions(workers=2, shards=4))
    assert summary.records == TRACKS
    assert contents(tmp_path / "data") == contents(built_dataset)


def test_rows_in_any_order_and_audio_elsewhere_give_the_same_bytes(
    small_corpus: SmallCorpus, built_dataset: Path, tmp_path: Path, contents: Contents
) -> None:
    rows = list(small_corpus.rows)
    random.Random(0).shuffle(rows)
    shutil.copytree(small_corpus.folder / "audio", tmp_path / "moved" / "audio")
    build(small_corpus.catalog_of(tmp_path / "moved", tuple(rows)), str(tmp_path / "data"), ONE)
    assert contents(tmp_path / "data") == contents(built_dataset)


def test_records_hold_what_the_tracks_table_says(built_dataset: Path, small_corpus: SmallCorpus) -> None:
    dataset = Dataset.open(str(built_dataset))
    tracks = dataset.newest_tracks().to_pylist()
    assert [row["track_id"] for row in tracks] == sorted(row[0] for row in small_corpus.rows)
    groups = {track: group for track, _, group in small_corpus.rows}
    for row in tracks:
        arrays = {}
        for family in ("logmel", "waveform"):
            uri, _ = dataset.payload(dataset.spec(family), 0, row["shard"])
            record = read_range(uri, row[f"{family}_offset"], row[f"{family}_length"])
            track_id, arrays[family] = decode_example(family, unframe(record, where=uri), where=uri)
            assert track_id == row["track_id"]
        assert arrays["waveform"].shape == (round(row["seconds"] * 16_000),)
        assert arrays["logmel"].shape == (1 + len(arrays["waveform"]) // 256, 96)
        assert (row["group"], row["cause"], row["flags"]) == (groups[row["track_id"]], None, [])
        assert row["source_checksum"].startswith("crc32c:")
        assert row["sample_rate"] in (8_000, 22_050, 44_100, 48_000, 96_000)


@pytest.mark.parametrize("lost", ["one mark", "all marks", "a shard", "tables"])
def test_a_build_that_lost_a_part_resumes_to_the_same_bytes(
    lost: str, small_corpus: SmallCorpus, dataset: Path, built_dataset: Path, contents: Contents
) -> None:
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    begun = json.loads(manifest.to_bytes())
    begun["generations"][0].update(records=None, rejects=None, tracks_sha256=None)
    (dataset / "dataset.json").write_text(json.dumps(with_checksum(begun)))
    folders = [path / "gen-000" for path in (dataset / "features").iterdir()]
    if lost == "one mark":
        (folders[0] / "part-00001.json").unlink()
    elif lost == "all marks":
        for mark in (dataset / "features").rglob("part-*.json"):
            mark.unlink()
    elif lost == "a shard":
        for path in (*dataset.rglob("part-00002*"), *dataset.glob("tracks/gen-000.parquet")):
            path.unlink()
    for folder in (*folders, dataset / "tracks", dataset / "tracks" / "gen-000", dataset):
        (folder / ".tmp-left-behind").write_bytes(b"half a file of a process that was killed")
    build(small_corpus.catalog, str(dataset), ONE)
    assert contents(dataset) == contents(built_dataset)
    assert verify(str(dataset), deep=True).problems == ()


def test_the_same_command_again_decodes_nothing(small_corpus: SmallCorpus, dataset: Path, contents: Contents) -> None:
    before = contents(dataset)
    summary = build(small_corpus.catalog, str(dataset), BuildOptions(workers=1))
    assert (summary.built, summary.records) == ((), TRACKS)
    assert contents(dataset) == before


def test_a_grown_catalog_adds_a_generation_and_leaves_every_byte_alone(
    small_corpus: SmallCorpus, tmp_path: Path, contents: Contents
) -> None:
    half = small_corpus.catalog_of(tmp_path / "catalog", small_corpus.rows[: TRACKS // 2])
    root = tmp_path / "data"
    build(half, str(root), ONE)
    before = contents(root)
    summary = build(small_corpus.catalog_of(tmp_path / "catalog", small_corpus.rows), str(root), ONE)
    assert (summary.built, summary.records) == ((1,), TRACKS)
    after = contents(root)
    kept = {name: digest for name, digest in before.items() if name != "dataset.json"}
    assert {name: after[name] for name in kept} == kept
    assert all("gen-001" in name for name in after if name not in before)
    assert verify(str(root), deep=True).problems == ()
    again = build(small_corpus.catalog, str(root), BuildOptions(workers=1))
    assert again.built == ()


def test_a_missing_file_is_one_transient_reject_row(tmp_path: Path) -> None:
    summary = build(small_catalog(tmp_path, 30, missing=1), str(tmp_path / "data"), BuildOptions(workers=1, shards=2))
    assert (summary.records, summary.rejects) == (29, {"not_found": 1})
    assert summary.examples == {"not_found": ("29", f"no such file: {tmp_path / '29.wav'}")}
    row = Dataset.open(str(tmp_path / "data")).newest_tracks().to_pylist()[-1]
    assert (row["cause"], row["transient"], row["record"], row["seconds"]) == ("not_found", True, None, None)
    assert row["message"] == "no such file: 29.wav"  # the same on any machine
    assert verify(str(tmp_path / "data")).problems == ()


def test_a_pipe_a_device_and_a_folder_are_reject_rows_at_once_and_no_others(
    tmp_path: Path, run_pipeline: RunPipeline
) -> None:
    catalog = small_catalog(tmp_path, 8, missing=3)
    os.mkfifo(tmp_path / "05.wav")
    (tmp_path / "06.wav").symlink_to("/dev/zero")
    (tmp_path / "07.wav").mkdir()
    # A rate below 1 makes the build try some tracks beforehand; a separate process can be killed if it hangs.
    options = ("--workers", 1, "--max-reject-rate", 0.9)
    built = run_pipeline("build", "--catalog", catalog, "--dataset", tmp_path / "data", *options, timeout=60)
    assert f"3 not_a_file, such as 05: expected a file, found a pipe: {tmp_path / '05.wav'}" in built.stdout, (
        built.stderr
    )
    rows = Dataset.open(str(tmp_path / "data")).newest_tracks().to_pylist()[-3:]
    found = [(row["cause"], row["transient"], row["message"]) for row in rows]
    words = ("a pipe", "a device", "a folder")
    names = ("05.wav", "06.wav", "07.wav")
    assert found == [
        ("not_a_file", False, f"expected a file, found {kind}: {name}") for kind, name in zip(words, names, strict=True)
    ]
    assert verify(str(tmp_path / "data")).problems == ()
    again = build(catalog, str(tmp_path / "data"), BuildOptions(workers=1, retry_rejects="transient"))
    assert again.built == ()


def test_a_catalog_and_its_audio_may_be_named_by_file_uris(tmp_path: Path) -> None:
    folder = tmp_path / "my müsic 100%"
    folder.mkdir()
    catalog = Path(small_catalog(folder, 4))
    (folder / "00.wav").rename(folder / "a%20b.wav")
    (folder / "01.wav").rename(folder / "a b.wav")
    plain = ["a%20b.wav", str(folder / "a%20b.wav")]  # a % in a path is a plain character
    spelled = [(folder / "a b.wav").as_uri(), (folder / "02.wav").as_uri().replace("file://", "file://localhost")]
    rows = [f"{number},{uri}" for number, uri in enumerate([*plain, *spelled])]
    catalog.write_text("\n".join(["track_id,uri", *rows]) + "\n")
    summary = build(catalog.as_uri(), (folder / "data").as_uri(), BuildOptions(workers=1))
    assert (summary.records, summary.rejects) == (4, {})
    assert verify((folder / "data").as_uri(), deep=True).problems == ()
    assert sorted(os.listdir(folder)) == ["02.wav", "03.wav", "a b.wav", "a%20b.wav", "catalog.csv", "data"]


def test_only_unreadable_files_are_refused_and_leave_no_dataset_until_they_are_mended(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 4, missing=2, broken=2), str(tmp_path / "data")
    words = "4 of 4 tracks were rejected, more than --max-reject-rate 0.05 allows .*2 not_found.*2 unsupported_format"
    for _ in range(2):
        with pytest.raises(UserError, match=words) as error:
            build(catalog, root, BuildOptions(workers=1))
        assert "\n" not in str(error.value)
        with pytest.raises(UserError, match="its build is unfinished"):
            Dataset.open(root)
    with pytest.raises(UserError, match="4 of 4 tracks were rejected"):  # they are tried again and fail again
        build(catalog, root, BuildOptions(workers=1, retry_rejects="all"))
    small_catalog(tmp_path, 4)
    summary = build(catalog, root, BuildOptions(workers=1, retry_rejects="all"))
    assert (summary.records, summary.rejects) == (4, {})
    assert Dataset.open(root).newest_tracks().num_rows == 4
    assert verify(root, deep=True).problems == ()


def test_rejects_can_be_accepted(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 4, missing=2)
    summary = build(catalog, str(tmp_path / "data"), BuildOptions(workers=1, max_reject_rate=0.5))
    assert (summary.records, summary.rejects) == (2, {"not_found": 2})


@pytest.mark.parametrize(("retry", "recovered"), [("none", 0), ("transient", 1), ("all", 2)])
def test_rejects_are_tried_again_on_request_in_a_generation_of_their_own(
    retry: str, recovered: int, tmp_path: Path
) -> None:
    catalog, root = small_catalog(tmp_path, 6, missing=1, broken=1), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1, shards=1, max_reject_rate=0.5))
    small_catalog(tmp_path, 6)
    options = BuildOptions(workers=1, max_reject_rate=0.5, retry_rejects=retry)  # type: ignore[arg-type]
    summary = build(catalog, root, options)
    assert summary.records == 4 + recovered
    assert summary.built == ((1,) if recovered else ())
    assert summary.tracks == 6


def test_one_bad_track_that_comes_later_does_not_stop_a_build_that_accepts_some(tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    build(small_catalog(tmp_path, 30), root, BuildOptions(workers=1, shards=2))
    summary = build(small_catalog(tmp_path, 31, missing=1), root, BuildOptions(workers=1))
    assert (summary.built, summary.records, summary.rejects) == ((1,), 30, {"not_found": 1})
    again = build(str(tmp_path / "catalog.csv"), root, BuildOptions(workers=1, retry_rejects="transient"))
    assert (again.records, again.rejects, again.tracks) == (30, {"not_found": 1}, 31)


def test_a_limit_takes_the_first_rows_and_the_rest_comes_later(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 10), str(tmp_path / "data")
    assert build(catalog, root, BuildOptions(workers=1, limit=3)).tracks == 3
    assert Dataset.open(root).newest_tracks()["track_id"].to_pylist() == ["00", "01", "02"]
    assert build(catalog, root, BuildOptions(workers=1)).tracks == 10


def test_one_family_alone_can_be_built(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 3)
    for family in ("logmel", "waveform"):
        root = tmp_path / family
        summary = build(catalog, str(root), BuildOptions(workers=1, families=(family,)))  # type: ignore[arg-type]
        assert list(summary.bytes) == [family]
        assert [path.name.split("-")[0] for path in (root / "features").iterdir()] == [family]
        assert verify(str(root), deep=True).problems == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"excerpt": "start:30"}, "holds --excerpt center:30, received --excerpt start:30"),
        ({"excerpt": "full"}, "holds --excerpt center:30, received --excerpt full"),
        ({"excerpt": "middle"}, "expected full, start:SECONDS or center:SECONDS"),
    ],
)
def test_other_features_than_the_datasets_are_refused(
    options: dict[str, str], words: str, small_corpus: SmallCorpus, dataset: Path, contents: Contents
) -> None:
    before = contents(dataset)
    with pytest.raises(UserError, match=words):
        build(small_corpus.catalog, str(dataset), BuildOptions(workers=1, **options))
    assert contents(dataset) == before


def test_another_spelling_of_the_datasets_excerpt_is_its_own(small_corpus: SmallCorpus, dataset: Path) -> None:
    assert build(small_corpus.catalog, str(dataset), BuildOptions(workers=1, excerpt="center:30.0")).built == ()


def test_a_family_that_a_dataset_was_not_built_with_is_refused(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 2), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1, families=("logmel",)))
    with pytest.raises(UserError, match="holds logmel only; --families waveform needs a dataset of its own"):
        build(catalog, root, BuildOptions(workers=1, families=("logmel", "waveform")))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "--workers: expected at least 1, received 0"),
        ({"shards": -1}, "--shards: expected at least 1, received -1"),
        ({"limit": 0}, "--limit: expected at least 1, received 0"),
        ({"max_reject_rate": 1.5}, "--max-reject-rate: expected a share from 0 to 1, received 1.5"),
        ({"families": ("chroma",)}, "--families: expected logmel,waveform or one of them, received chroma"),
        ({"families": ()}, "--families: expected logmel,waveform or one of them"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        BuildOptions(**options)  # type: ignore[arg-type]


def test_a_folder_of_something_else_is_refused_and_nothing_is_written_in_it(tmp_path: Path) -> None:
    catalog = small_catalog(tmp_path, 2)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    with pytest.raises(UserError, match=r"expected a dataset or an empty folder, found holiday\.jpg"):
        build(catalog, str(tmp_path / "photos"), BuildOptions(workers=1))
    assert os.listdir(tmp_path / "photos") == ["holiday.jpg"]
    with pytest.raises(UserError, match="expected a folder, found a file"):
        build(catalog, catalog, BuildOptions(workers=1))


@pytest.mark.parametrize("text", ["{}", '{"format": 1}', "no json"])
def test_a_dataset_json_of_something_else_is_no_dataset(text: str, tmp_path: Path) -> None:
    from schemas.console.errors import DatasetError

    root = tmp_path / "data"
    root.mkdir()
    (root / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json"):
        build(small_catalog(tmp_path, 2), str(root), BuildOptions(workers=1))
    assert os.listdir(root) == ["dataset.json"]


def test_a_bad_catalog_leaves_no_folder_behind(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("track_id,uri\na,1\na,2\n")
    with pytest.raises(UserError):
        build(str(tmp_path / "catalog.csv"), str(tmp_path / "data"), BuildOptions(workers=1))
    with pytest.raises(UserError):
        build(small_catalog(tmp_path, 2), str(tmp_path / "data"), BuildOptions(workers=1, excerpt="some"))
    assert not (tmp_path / "data").exists()


def test_resuming_with_other_library_versions_is_refused_unless_asked_for(
    small_corpus: SmallCorpus, dataset: Path
) -> None:
    import pyarrow.parquet as pq

    from schemas.plan_file import plan_bytes

    begun = json.loads((dataset / "dataset.json").read_text())
    begun["generations"][0].update(records=None, rejects=None, tracks_sha256=None)
    (dataset / "dataset.json").write_text(json.dumps(with_checksum(begun)))
    plan = dataset / "plan" / "gen-000.parquet"
    plan.write_bytes(
        plan_bytes(pq.read_table(plan), {"generation": 0, "versions": {**begun["versions"], "soxr": "0.1"}})
    )
    with pytest.raises(UserError, match=r"begun with other versions \(soxr 0\.1 -> .*--allow-other-versions"):
        build(small_corpus.catalog, str(dataset), BuildOptions(workers=1))
    summary = build(small_corpus.catalog, str(dataset), BuildOptions(workers=1, allow_other_versions=True))
    assert summary.records == TRACKS


def test_a_run_leaves_its_times_beside_the_data(built_dataset: Path) -> None:
    run = json.loads((built_dataset / "runs" / "build-gen-000.json").read_text())
    assert (run["generation"], run["tracks"]) == (0, TRACKS)
    assert run["wall_seconds"] > 0
    counters = run["counters"]
    stored = sum(path.stat().st_size for path in (built_dataset / "features").rglob("*.tfrecord"))
    assert (counters["records"], counters["rejects"], counters["bytes"]) == (TRACKS, 0, stored)
    parts = {name: counters[f"{name}_milliseconds"] for name in ("fetch", "decode", "logmel", "write")}
    assert parts["decode"] > 0 and parts["logmel"] > 0


def test_the_counters_of_a_stopped_and_resumed_build_add_up() -> None:
    first = added_counters({}, {"records": 3, "bytes": 10})
    assert added_counters({"counters": first}, {"records": 2, "rejects": 1}) == {
        "bytes": 10,
        "records": 5,
        "rejects": 1,
    }


def test_strict_rejects_what_is_cut_short_and_stays_with_its_generation(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 4), str(tmp_path / "data")
    sound = np.random.default_rng(0).normal(scale=0.1, size=80_000)
    soundfile.write(tmp_path / "01.wav", sound, 16_000, format="FLAC")
    (tmp_path / "01.wav").write_bytes((tmp_path / "01.wav").read_bytes()[:60_000])
    summary = build(catalog, root, BuildOptions(workers=1, strict=True, max_reject_rate=1.0))
    assert (summary.records, sum(summary.rejects.values())) == (3, 1)
    assert set(summary.rejects) <= {"truncated", "corrupt"}
    kept = build(catalog, root, BuildOptions(workers=1, retry_rejects="all"))
    assert (kept.records, kept.rejects) == (4, {})
    flags = Dataset.open(root).newest_tracks()["flags"].to_pylist()[1]
    assert {"truncated", "corrupt"} & set(flags)


def test_a_generation_begun_with_strict_is_not_finished_without(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 4, missing=4), str(tmp_path / "data")
    with pytest.raises(UserError, match="4 of 4 tracks were rejected"):
        build(catalog, root, BuildOptions(workers=1, strict=True))
    with pytest.raises(UserError, match="gen-000 was begun with --strict; continue with it"):
        build(catalog, root, BuildOptions(workers=1))


def test_a_second_build_at_once_is_refused(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 3), tmp_path / "data"
    root.mkdir()
    with sole_writer(str(root)), pytest.raises(UserError, match="another command is changing this dataset"):
        build(catalog, str(root), BuildOptions(workers=1))
    assert build(catalog, str(root), BuildOptions(workers=1)).records == 3


def test_the_plan_of_a_build_that_was_killed_before_its_manifest_is_replaced(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 3), tmp_path / "data"
    build(catalog, str(root), BuildOptions(workers=1))
    before = (root / "plan" / "gen-000.parquet").read_bytes()
    (root / "plan" / "gen-001.parquet").write_bytes(before)
    summary = build(small_catalog(tmp_path, 5), str(root), BuildOptions(workers=1))
    assert (summary.built, summary.records) == ((1,), 5)


def test_a_dataset_of_an_earlier_algorithm_is_read_with_a_warning_and_not_added_to(
    dataset: Path, small_corpus: SmallCorpus, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((dataset / "dataset.json").read_text())
    for family in manifest["families"].values():
        spec = family["spec"]
        (spec if spec["family"] == "waveform" else spec["waveform"])["algorithm"] = 1
        family["fingerprint"] = spec_from_dict(spec).fingerprint
    (dataset / "dataset.json").write_text(json.dumps(with_checksum(manifest)))
    said = "its features come from algorithm 1, under which about one mp3 in ten has wrong samples"
    for _ in range(2):
        assert Dataset.open(str(dataset)).newest_tracks().num_rows == TRACKS
    warned = capsys.readouterr().err
    assert warned.count(said) == 1
    assert "build the catalog into a new folder" in warned
    with pytest.raises(UserError, match=said):
        build(small_corpus.catalog, str(dataset), BuildOptions(workers=1))
