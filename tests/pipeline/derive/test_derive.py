"""A derived log-mel family has the values of a build, opens no audio, and is found by every reader."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline.derive.shards
from pipeline.audio.logmel import stored_logmel
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.removal.prune import prune
from pipeline.removal.remove import remove
from pipeline.verify import verify
from schemas.console.errors import DatasetError, TagscaleError, UserError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.examples import decode_example
from schemas.features import LogMelSpec
from schemas.storage.files import read_range, write_atomic
from schemas.tfrecord import unframe
from tests.conftest import TRACKS, RunPipeline, SmallCorpus

Contents = Callable[..., dict[str, str]]
OPTIONS = DeriveOptions(mels=128, n_fft=1024, workers=1)


def features_of(root: Path, name: str) -> dict[str, np.ndarray]:
    """Track id -> its stored feature, read by its place."""
    dataset = Dataset.open(str(root))
    spec = dataset.features(name)
    found = {}
    for row in dataset.newest_tracks(spec=spec).to_pylist():
        if row["record"] is not None:
            uri, _ = dataset.payload(spec, row["generation"], row["shard"])
            payload = unframe(read_range(uri, row["offset"], row["length"]), where=uri)
            track, values = decode_example(spec.family, payload, where=uri)
            assert track == row["track_id"]
            found[track] = values
    return found


def built_names(root: Path) -> tuple[str, str]:
    """Names of the built log-mel and waveform features."""
    logmel, waveform = sorted(path.name for path in (root / "features").iterdir())
    return logmel, waveform


def test_derived_log_mel_is_that_of_the_stored_waveform_and_nothing_else_changes(
    dataset: Path, small_corpus: SmallCorpus, contents: Contents
) -> None:
    before = contents(dataset)
    waveforms = features_of(dataset, built_names(dataset)[1])
    summary = derive(str(dataset), OPTIONS)
    assert (summary.built, summary.records, summary.empty_bands) == ((0,), TRACKS, 0)
    derived = features_of(dataset, summary.name)
    spec = dataclasses.replace(LogMelSpec(), mels=128, n_fft=1024)
    assert summary.spec == spec
    assert derived.keys() == waveforms.keys()
    for track, waveform in waveforms.items():
        np.testing.assert_array_equal(derived[track], stored_logmel(waveform, spec))
    after = contents(dataset)
    assert {name: digest for name, digest in after.items() if name in before and name != "dataset.json"} == {
        name: digest for name, digest in before.items() if name != "dataset.json"
    }
    report = verify(str(dataset), deep=True)
    assert (report.problems, report.payloads) == ((), 12)
    assert build(small_corpus.catalog, str(dataset), BuildOptions(workers=1)).built == ()
    again = derive(str(dataset), OPTIONS)
    assert (again.built, again.name) == ((), summary.name)
    assert contents(dataset) == after


def test_the_default_settings_give_the_bytes_that_a_build_wrote(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The test removes the built log-mel, so that the same family is derived into its folder."""
    logmel, _ = built_names(dataset)
    built = {path.name: path.read_bytes() for path in (dataset / "features" / logmel).rglob("*.tfrecord")}
    shutil.rmtree(dataset / "features" / logmel)
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    waveform_only = dataclasses.replace(manifest, families={"waveform": manifest.families["waveform"]})
    write_atomic(str(dataset / "dataset.json"), waveform_only.to_bytes())
    assert derive(str(dataset), DeriveOptions(workers=1)).name == logmel
    assert {path.name: path.read_bytes() for path in (dataset / "features" / logmel).rglob("*.tfrecord")} == built


@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(dataset: Path, tmp_path: Path, contents: Contents) -> None:
    other = Path(shutil.copytree(dataset, tmp_path / "other"))
    derive(str(dataset), OPTIONS)
    derive(str(other), dataclasses.replace(OPTIONS, workers=2))
    assert contents(dataset) == contents(other)


def test_a_dataset_that_grew_is_followed_and_until_then_readers_are_told(
    dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, contents: Contents
) -> None:
    name = derive(str(dataset), OPTIONS).name
    more = (*small_corpus.rows, ("new", small_corpus.rows[0][1], "new artist"))
    build(small_corpus.catalog_of(tmp_path / "grown", more), str(dataset), BuildOptions(workers=1))
    with pytest.raises(UserError, match=r"derived from 1 of its 2 generations; run the same `.*pipeline\.run derive`"):
        Dataset.open(str(dataset)).features(name)
    assert verify(str(dataset), deep=True).problems == ()
    before = contents(dataset, below="features")
    summary = derive(str(dataset), OPTIONS)
    assert (summary.built, summary.records) == ((1,), 1)
    assert "new" in features_of(dataset, name)
    assert before.items() <= contents(dataset, below="features").items()


def test_a_derivation_that_failed_goes_on_and_a_purge_meanwhile_reaches_what_it_wrote(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, seen = pipeline.derive.shards.DerivedShardWriter.write, []

    def failing(self: object, shard: int) -> object:
        seen.append(shard)
        if len(seen) > 2:
            raise OSError("the disk is gone")
        return write(self, shard)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.derive.shards.DerivedShardWriter, "write", failing)
        with pytest.raises(TagscaleError, match="2 of 4 shards unfinished: .*the disk is gone"):
            derive(str(dataset), OPTIONS)
    assert verify(str(dataset), deep=True).problems == ()
    done = Dataset.open(str(dataset)).tracks_of(0).to_pylist()
    gone = next(row["track_id"] for row in done if row["shard"] == seen[0])
    (tmp_path / "gone.txt").write_text(gone, encoding="utf-8")
    assert remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).purged_payloads == 3
    name = derive(str(dataset), OPTIONS).name
    assert gone not in features_of(dataset, name)
    assert gone.encode() not in b"".join(path.read_bytes() for path in (dataset / "features").rglob("*.tfrecord"))
    assert verify(str(dataset), deep=True).problems == ()


def test_a_purge_erases_derived_features_too_and_a_later_derivation_has_none(dataset: Path, tmp_path: Path) -> None:
    derive(str(dataset), OPTIONS)
    (tmp_path / "gone.txt").write_text("träck 005", encoding="utf-8")
    assert remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).purged_payloads == 3
    derive(str(dataset), dataclasses.replace(OPTIONS, mels=64))
    payloads = [path.read_bytes() for path in (dataset / "features").rglob("*.tfrecord")]
    assert len(payloads) == 16
    assert not any("träck 005".encode() in data for data in payloads)
    assert verify(str(dataset), deep=True).problems == ()


def test_a_rotted_waveform_is_named_and_nothing_is_derived_from_it(dataset: Path) -> None:
    payload = next((dataset / "features" / built_names(dataset)[1]).rglob("*.tfrecord"))
    data = bytearray(payload.read_bytes())
    data[len(data) // 2] ^= 1
    payload.write_bytes(data)
    with pytest.raises(TagscaleError, match="its bytes are not those of the done mark"):
        derive(str(dataset), OPTIONS)


def test_damaged_derived_payloads_are_found_by_verify(dataset: Path) -> None:
    name = derive(str(dataset), OPTIONS).name
    first, second = sorted((dataset / "features" / name).rglob("*.tfrecord"))[:2]
    data = bytearray(first.read_bytes())
    data[100] ^= 1
    first.write_bytes(data)
    second.unlink()
    problems = verify(str(dataset)).problems
    assert len(problems) == 2
    assert any("the SHA-256 differs" in problem for problem in problems)
    assert any("the payload is missing" in problem for problem in problems)


def test_what_cannot_be_derived_is_reported_in_one_line(dataset: Path) -> None:
    with pytest.raises(UserError, match="was built with logmel-"):
        derive(str(dataset), DeriveOptions(mels=96))
    with pytest.raises(UserError, match="--hop-length: expected at most --n-fft"):
        derive(str(dataset), DeriveOptions(hop_length=1024))
    with pytest.raises(UserError, match="--n-mels: expected at least 1, received 0"):
        DeriveOptions(mels=0)
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    logmel_only = dataclasses.replace(manifest, families={"logmel": manifest.families["logmel"]})
    write_atomic(str(dataset / "dataset.json"), logmel_only.to_bytes())
    with pytest.raises(UserError, match="holds logmel, not waveform"):
        derive(str(dataset), OPTIONS)


def test_other_versions_are_refused_only_for_a_generation_that_was_begun(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = derive(str(dataset), OPTIONS).name
    manifest = DatasetManifest.read(str(dataset / "dataset.json"))
    begun = dataclasses.replace(manifest.derived[0], generations=0, versions={"numpy": "1.0"})
    write_atomic(str(dataset / "dataset.json"), manifest.with_derived(begun).to_bytes())
    next((dataset / "features" / name).rglob("part-00001.json")).unlink()
    with pytest.raises(UserError, match=r"was begun with other versions \(.*numpy 1.0 -> "):
        derive(str(dataset), OPTIONS)
    assert derive(str(dataset), dataclasses.replace(OPTIONS, allow_other_versions=True)).built == (0,)


def test_pruning_takes_a_derived_family_away_on_request(dataset: Path) -> None:
    name = derive(str(dataset), OPTIONS).name
    assert prune(str(dataset)).paths == ()
    with pytest.raises(UserError, match="--features logmel-0: expected derived features"):
        prune(str(dataset), (), derived=("logmel-0",))
    found = prune(str(dataset), (), derived=(name,), delete=True)
    assert [Path(path.uri).name for path in found.paths] == [name]
    assert not (dataset / "features" / name).exists()
    with pytest.raises(UserError, match="received logmel-"):
        Dataset.open(str(dataset)).features(name)
    assert verify(str(dataset), deep=True).problems == ()


def test_the_command_says_what_it_made_and_warns_of_empty_bands(dataset: Path, run_pipeline: RunPipeline) -> None:
    done = run_pipeline("derive", "--dataset", dataset, "--n-mels", 256, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "no audio decoded" in done.stdout
    assert "of 256 mel bands lie between two bins" in done.stdout
    name = DatasetManifest.read(str(dataset / "dataset.json")).derived[0].spec.fingerprint
    assert f"--features logmel-{name}" in done.stdout.splitlines()[-1]


def test_a_foreign_record_is_not_taken_for_a_tracks_own(dataset: Path) -> None:
    from pipeline.jobs.stored_features import StoredFeatures

    opened = Dataset.open(str(dataset))
    row = opened.tracks_of(0).to_pylist()[0]
    with StoredFeatures(opened, opened.spec("waveform"), 0, row["shard"]) as stored:  # type: ignore[arg-type]
        samples = round(row["seconds"] * 16_000)
        assert len(stored.track(row["track_id"], row["waveform_offset"], samples).read(0, samples)) == samples
        with pytest.raises(DatasetError, match="expected the record of 'another'"):
            stored.track("another", row["waveform_offset"], samples)
