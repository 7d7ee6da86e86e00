"""Fixtures for all tests: real audio files, a small built dataset, and the command line as a process."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import av
import numpy as np
import pytest
import soundfile

from tests.tones import tags_of, tone_of
from tests.warm_commands import run_warm

if "PYTEST_XDIST_WORKER" in os.environ:  # parallel test processes: each library's threads would compete for cores
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(variable, "1")

ROOT = Path(__file__).parents[1]
NO_MATERIAL = "the shared material is not beside this checkout"
PATIENCE_SECONDS = 60  # a test that hangs fails after this time
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
SUBTYPES = {".opus": ("OGG", "OPUS"), ".ogg": ("OGG", "VORBIS"), ".mp3": ("MP3", "MPEG_LAYER_III")}

WriteAudio = Callable[[Path, np.ndarray, int], Path]
RunPipeline = Callable[..., subprocess.CompletedProcess[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the training tests first: if processes share the work, the longest files must not be the last ones."""
    items.sort(key=lambda item: "training" not in item.path.relative_to(ROOT).parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line with the number of tests that were skipped because the shared material is missing."""
    skipped = [report for report in terminalreporter.stats.get("skipped", ()) if NO_MATERIAL in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped: {NO_MATERIAL}")


@pytest.fixture(scope="session")
def write_audio() -> WriteAudio:
    """Writes float samples, [samples] or [samples, channels], in the format of the path's extension."""

    def write(path: Path, samples: np.ndarray, rate: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".m4a", ".aac"):
            _encode_aac(path, samples.reshape(len(samples), -1), rate)
        else:
            kind, subtype = SUBTYPES.get(path.suffix, (None, None))
            soundfile.write(path, samples, rate, format=kind, subtype=subtype)
        return path

    return write


def _encode_aac(path: Path, samples: np.ndarray, rate: int) -> None:
    layout = LAYOUTS[samples.shape[1]]
    with av.open(str(path), "w", format="adts" if path.suffix == ".aac" else None) as container:
        stream = container.add_stream("aac", rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), format="fltp", layout=layout)
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


@pytest.fixture
def hanging_fails() -> Iterator[None]:
    """Makes a test fail if it waits too long, for example for the other end of a pipe."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail("the test waited too long")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def material() -> Path:
    """Real audio files beside the checkout; tests that use them are skipped where they are missing."""
    folder = ROOT.parent / "shared" / "material"
    if not folder.is_dir():
        pytest.skip(NO_MATERIAL)
    return folder


@pytest.fixture(scope="session")
def musicnn_wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel with the published weights, as `make tag` gets it, kept for later sessions; skips where pip cannot get it."""
    cache = getattr(request.config, "cache", None)  # pytest may run without one
    folder = tmp_path_factory.mktemp("wheel")
    kept = (cache.mkdir("published") if cache else folder / "kept") / "musicnn-0.1.0-py3-none-any.whl"
    if not kept.exists():
        words = ["download", "--quiet", "--no-deps", "--require-hashes", "--retries", "1", "-r", "locks/published.txt"]
        try:
            subprocess.run([sys.executable, "-m", "pip", *words, "-d", folder], cwd=ROOT, timeout=300, check=True)
        except subprocess.SubprocessError:
            pytest.skip("pip cannot get the wheel of musicnn")
        kept.parent.mkdir(exist_ok=True)
        begun = kept.with_name(f".{os.getpid()}")  # the tests of another process may want it too
        shutil.copyfile(folder / kept.name, begun)
        os.replace(begun, kept)
    return kept


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """Path of the ffmpeg program from a wheel: it encodes formats that libsndfile does not, and is the decoders' reference."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@dataclasses.dataclass(frozen=True)
class SmallCorpus:
    """A catalog of 24 short tracks in many formats, with annotations and a label set.

    Attributes:
        folder: folder of all files.
        rows: rows of the catalog: track_id, uri, group.
    """

    folder: Path
    rows: tuple[tuple[str, str, str], ...]

    @property
    def catalog(self) -> str:
        return str(self.folder / "catalog.csv")

    @property
    def annotations(self) -> str:
        return str(self.folder / "annotations.csv")

    @property
    def label_set(self) -> str:
        return str(self.folder / "small.yaml")

    def catalog_of(self, target: Path, rows: tuple[tuple[str, str, str], ...]) -> str:
        """Writes a catalog with other rows and a link to the audio beside it, so that its relative uris still work."""
        target.mkdir(parents=True, exist_ok=True)
        if not (target / "audio").exists():
            (target / "audio").symlink_to(self.folder / "audio")
        write_csv(target / "catalog.csv", ("track_id", "uri", "group"), rows)
        return str(target / "catalog.csv")


# Extension, sample rate and channel count of the small corpus's tracks, in rotation.
ROTATION = (
    ("wav", 44_100, 2),
    ("flac", 48_000, 1),
    ("ogg", 22_050, 2),
    ("mp3", 44_100, 2),
    ("opus", 48_000, 2),
    ("m4a", 44_100, 2),
    ("wav", 8_000, 1),
    ("flac", 96_000, 6),
)
TRACKS = 24
TAGS = ("low", "noise", "tremolo")


def write_csv(path: Path, header: tuple[str, ...], rows: object) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)  # type: ignore[arg-type]


def write_tables(folder: Path, catalog: object, annotations: object) -> None:
    """Writes catalog.csv, of track_id, uri and group, and annotations.csv, of track_id and tag."""
    write_csv(folder / "catalog.csv", ("track_id", "uri", "group"), catalog)
    write_csv(folder / "annotations.csv", ("track_id", "tag"), annotations)


def sound_of(number: int, rate: int, channels: int) -> tuple[np.ndarray, list[str]]:
    """Sound and tags of a track of 2 to 3.5 s."""
    sound = tone_of(number, 2 + 0.5 * (number % 4), rate, noise=0.05)
    return np.outer(sound, np.linspace(1, 0.8, channels)).astype(np.float32), tags_of(number, TAGS)


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory, write_audio: WriteAudio) -> SmallCorpus:
    """24 tracks by 8 artists; names with spaces and letters from other alphabets; uris relative to the catalog."""
    folder = tmp_path_factory.mktemp("corpus")
    rows, annotations = [], []
    for number in range(TRACKS):
        ending, rate, channels = ROTATION[number % len(ROTATION)]
        track, uri = f"träck {number:03d}", f"audio/Künstler {number % 8}/音楽 {number:03d}.{ending}"
        sound, tags = sound_of(number, rate, channels)
        write_audio(folder / uri, sound, rate)
        rows.append((track, uri, f"artist {number % 8}"))
        annotations += [(track, tag) for tag in tags]
    write_tables(folder, rows, annotations)
    (folder / "small.yaml").write_text(f"name: small\ntags: [{', '.join(TAGS)}]\n", encoding="utf-8")
    return SmallCorpus(folder, tuple(rows))


@pytest.fixture(scope="session")
def built_dataset(small_corpus: SmallCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus, built by one worker in this process into four shards; tests only read it."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions

    root = tmp_path_factory.mktemp("built") / "dataset"
    summary = build(small_corpus.catalog, str(root), BuildOptions(workers=1, shards=4))
    assert (summary.tracks, summary.rejects) == (TRACKS, {})
    return root


@pytest.fixture
def dataset(built_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the built dataset that the test may change."""
    return Path(shutil.copytree(built_dataset, tmp_path / "dataset"))


@pytest.fixture(scope="session")
def contents() -> Callable[..., dict[str, str]]:
    """Path below a folder -> SHA-256 of each file, except in `runs/`, whose bytes may differ."""

    def contents_of(folder: Path, *, below: str = "") -> dict[str, str]:
        files = sorted(path for path in (folder / below).rglob("*") if path.is_file())
        named = {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        return {name: digest for name, digest in named.items() if not name.startswith("runs/")}

    return contents_of


@pytest.fixture(scope="session")
def run_pipeline() -> RunPipeline:
    """Runs `python -m pipeline.run` with the given arguments, in a process of its own."""

    def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return run_warm(["-m", "pipeline.run", *arguments], timeout=timeout)

    return run


def small_catalog(folder: Path, count: int, *, missing: int = 0, broken: int = 0, seconds: float = 1.0) -> str:
    """Writes a catalog of `count` wav files, the last of which are missing or hold no audio."""
    rows = ["track_id,uri"]
    for number in range(count):
        path = folder / f"{number:02d}.wav"
        rows.append(f"{number:02d},{path.name}")
        if number >= count - missing:
            continue
        if number >= count - missing - broken:
            path.write_text("no audio")
        else:
            sound = np.random.default_rng(number).normal(scale=0.1, size=round(16_000 * seconds))
            soundfile.write(path, sound, 16_000)
    (folder / "catalog.csv").write_text("\n".join(rows) + "\n")
    return str(folder / "catalog.csv")
