"""A bucket that fails now and then costs only time; one that fails for good is a clear error, and the command can resume."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.dataset import Dataset
from tests.buckets.conftest import Bucket, Shell, ended
from tests.buckets.proxy import Fault, Proxy
from tests.conftest import small_catalog

pytestmark = pytest.mark.slow

TRACKS = 12
SECONDS = 30.0  # length of a track, so that a shard's waveforms are more than gcsfs sends in one request
RANGED = (".wav", ".tfrecord")  # endings of files that are read by ranges


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, bucket: Bucket) -> Path:
    """A catalog with its audio, annotations and a label set, in a folder and in the bucket."""
    folder = tmp_path_factory.mktemp("corpus")
    small_catalog(folder, TRACKS, seconds=SECONDS)
    rows = [f"{number:02d},{tag}" for number in range(TRACKS) for tag in ("low", "loud")[number % 3 : 2]]
    (folder / "annotations.csv").write_text("\n".join(["track_id,tag", *rows]) + "\n")
    (folder / "tags.yaml").write_text("name: mine\ntop: 2\n")
    bucket.upload(folder, "corpus")
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, emulator: int) -> Iterator[Path]:
    """The dataset of a local build."""
    with contextlib.closing(Proxy(emulator)) as proxy:
        shell = Shell(proxy, corpus)
        shell.run("build", "--catalog", "catalog.csv", "--dataset", "data", "--shards", "2")
        shell.run("label", "--dataset", "data", "--annotations", "annotations.csv", "--label-set", "tags.yaml")
        yield corpus / "data"


def test_faults_that_pass_cost_nothing_but_time(
    undisturbed: Path, shell: Shell, bucket: Bucket, contents: Callable[..., dict[str, str]]
) -> None:
    uploads = ("upload", "session", "chunk")
    shell.proxy.faults = [
        Fault("unavailable", lambda request: True, share=0.06),
        Fault("delay", lambda request: True, share=0.1),
        Fault("cut", lambda request: request.kind == "download", share=0.12),
        Fault("short", lambda request: request.kind in ("download", "info", "list"), share=0.06),
        # A range has no checksum; records have their own.
        Fault("garbled", lambda request: request.kind == "download" and not request.name.endswith(RANGED), share=0.15),
        Fault("lost", lambda request: request.kind in uploads, share=0.3),
        Fault("lost", lambda request: request.create, share=0.5, seed=1),
        Fault("incomplete", lambda request: request.kind == "chunk", times=2),
        Fault("forgotten", lambda request: request.kind == "chunk", times=2),
    ]
    data = bucket.uri("disturbed")
    catalog = ["--catalog", bucket.uri("corpus/catalog.csv")]
    assert "rejects   0" in shell.run("build", *catalog, "--dataset", data, "--shards", "2", "--workers", "2")
    files = ["--annotations", bucket.uri("corpus/annotations.csv"), "--label-set", bucket.uri("corpus/tags.yaml")]
    shell.run("label", "--dataset", data, *files)
    assert "everything reconciles" in shell.run("verify", "--dataset", data, "--deep")
    assert all(fault.met for fault in shell.proxy.faults)
    assert bucket.contents("disturbed") == contents(undisturbed)


@pytest.mark.usefixtures("store")
def test_audio_that_cannot_be_had_is_rejected_and_recovered_once_it_can(
    corpus: Path, shell: Shell, bucket: Bucket
) -> None:
    never, short = "corpus/05.wav", "corpus/11.wav"
    shell.proxy.faults = [
        Fault("unavailable", lambda request: request.name == never),
        Fault("short", lambda request: request.name == short and request.kind == "download"),
    ]
    data = bucket.uri("partial")
    build = [
        "build",
        "--catalog",
        bucket.uri("corpus/catalog.csv"),
        "--dataset",
        data,
        "--shards",
        "2",
        "--workers",
        "1",
    ]
    assert "2 io_error, such as 05" in shell.run(*build, "--max-reject-rate", "0.2")
    before = bucket.generations("partial")
    shell.proxy.faults = []
    assert "built gen-001" in shell.run(*build, "--retry-rejects", "transient")
    assert "everything reconciles" in shell.run("verify", "--dataset", data, "--deep")
    after = bucket.generations("partial")
    for name in before:
        if name != "dataset.json" and not name.startswith("runs/"):
            assert after[name] == before[name]
    rows = Dataset.open(data).tracks_of(0).select(["track_id", "cause", "transient", "message"]).to_pylist()
    assert [tuple(row.values()) for row in rows if row["cause"]] == [
        ("11", "io_error", True, "the store failed: expected 262144 bytes at byte 0, received 131072: 11.wav"),
        ("05", "io_error", True, "the store failed: HttpError: Service Unavailable, 503: 05.wav"),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tracks/gen-000.parquet", "error: {}: the store failed: HttpError: Service Unavailable, 503"),
        ("features/", "error: the Beam job stopped with 2 of 2 shards unfinished: "),
    ],
)
def test_a_dataset_that_cannot_be_written_ends_the_command_which_goes_on_later(
    name: str, words: str, undisturbed: Path, shell: Shell, bucket: Bucket, contents: Callable[..., dict[str, str]]
) -> None:
    folder = f"unwritable {name.partition('/')[0]}"
    shell.proxy.faults = [
        Fault(
            "unavailable",
            lambda request: request.kind in ("upload", "session") and request.name.startswith(f"{folder}/{name}"),
        )
    ]
    command = ["build", "--catalog", bucket.uri("corpus/catalog.csv"), "--dataset", bucket.uri(folder)]
    command += ["--shards", "2", "--workers", "1"]
    code, _, said = ended(shell.start(*command))
    assert code == 1
    lines = [line for line in said.splitlines() if not line.startswith(("decode", "\r"))]
    assert len(lines) == 1
    assert lines[0].startswith(words.format(bucket.uri(f"{folder}/{name}")))
    assert "503" in lines[0]
    before = bucket.generations(f"{folder}/features")
    assert len(before) == (0 if name == "features/" else 8)
    shell.proxy.faults = []
    shell.run(*command)
    after = bucket.generations(f"{folder}/features")
    assert {name: after[name] for name in before} == before
    local = {path: found for path, found in contents(undisturbed).items() if not path.startswith(("labels", "splits"))}
    assert bucket.contents(folder) == local
