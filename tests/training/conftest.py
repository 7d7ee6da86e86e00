"""A small dataset of tones and noise for the training tests, built, labelled and split by the pipeline; and its models."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from schemas.features import LogMelSpec, WaveformSpec
from tests.conftest import write_tables
from tests.pipeline.tagging.conftest import write_model
from tests.tones import tags_of, tone_of

if TYPE_CHECKING:
    from training.data.records import TrackRecords
    from training.runs.trained import TrainedRun

SAMPLE_RATE = 22_050

# Starts a command of this stage without compiled graphs: python -c EAGERLY training/run.py …
EAGERLY = (
    "import runpy, sys, warnings\n"
    "from training.devices.tensorflow_import import import_tensorflow\n"
    "import_tensorflow()\n"  # without its log messages, as in the commands
    "import tensorflow as tf\n"
    "tf.config.run_functions_eagerly(True)\n"
    "warnings.filterwarnings('ignore', 'Even though')\n"  # functions of tf.data stay compiled, which it says each time
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)
SECONDS = (2.0, 3.1, 4.0)  # lengths of the tracks, all longer than a patch
TRACKS = 36
TAGS = ("bass", "noise", "tremolo")


@dataclasses.dataclass(frozen=True)
class SmallDataset:
    """A dataset and its folder, which also holds the files that it was built from."""

    root: str
    folder: Path

    def copy(self, target: Path) -> SmallDataset:
        """A copy that a test may damage."""
        shutil.copytree(self.folder, target)
        return SmallDataset(str(target / "data"), target)


def sound_of(number: int) -> tuple[np.ndarray, list[str]]:
    """Sound and tags of a track."""
    sound = tone_of(number, SECONDS[number % 3], SAMPLE_RATE, noise=0.1)
    return sound.astype(np.float32), tags_of(number, TAGS)


def write_corpus(folder: Path, formats: tuple[str, ...]) -> None:
    """Writes the audio of all tracks, in these formats by turns, and catalog.csv and annotations.csv."""
    rows, annotations = [], []
    for number in range(TRACKS):
        sound, tags = sound_of(number)
        name = f"{number:02d}.{formats[number % len(formats)]}"
        soundfile.write(folder / name, sound, SAMPLE_RATE)
        rows.append((f"track-{number:02d}", name, f"artist-{number // 2}"))
        annotations += [(f"track-{number:02d}", tag) for tag in tags]
    write_tables(folder, rows, annotations)


@pytest.fixture(scope="session", autouse=True)
def eager_functions() -> None:
    """Runs operation by operation: tracing and compiling graphs would take half the time of these small trainings.

    A command that a test starts does compile its graphs; to compare the two bit for bit, start it with EAGERLY.
    """
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)


@contextlib.contextmanager
def compiled_graphs() -> Iterator[None]:
    """Compiles graphs meanwhile, as commands do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(False)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(True)


@pytest.fixture
def graphs(eager_functions: None) -> Iterator[None]:
    """Compiles graphs in a test, as commands do."""
    with compiled_graphs():
        yield


@pytest.fixture(scope="module", autouse=True)
def freed_memory() -> Iterator[None]:
    """Free the graphs of a module's tests; otherwise the suite would need more memory than two processes have."""
    from training.devices.forgotten_gradients import forgotten_gradients

    with forgotten_gradients():
        yield


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> SmallDataset:
    """36 tracks of 2 to 4 s in 6 shards, split 60/20/20, label set `small` over three tags."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    folder = tmp_path_factory.mktemp("small")
    write_corpus(folder, ("wav",))
    (folder / "small.yaml").write_text(f"name: small\ntags: [{', '.join(TAGS)}]\n")
    root = str(folder / "data")
    build(str(folder / "catalog.csv"), root, BuildOptions(workers=1, shards=6))
    # With this salt, every side has tracks with each tag and tracks without it.
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod((60, 20, 20), salt="g"))
    lay_labels(root, [str(folder / "annotations.csv")], str(folder / "small.yaml"))
    return SmallDataset(root, folder)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spectrogram model with random weights; tests only read it."""
    return write_model(tmp_path_factory.mktemp("model") / "spectrogram", LogMelSpec(WaveformSpec("center:30")))


@pytest.fixture(scope="session")
def small_config(small_dataset: SmallDataset):
    """A configuration that trains in seconds."""
    from training.config import TrainConfig

    return TrainConfig(
        dataset=small_dataset.root,
        label_set="small",
        frontend="spectrogram",
        patch_seconds=1.0,
        epochs=2,
        batch_size=12,
        num_filt=1,
        backend_filters=32,
        dense_units=16,
        strategy="single",
    )


@pytest.fixture(scope="session")
def small_run(small_config, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A finished run of `small_config`; tests only read it."""
    from training.fit.train import train

    out = str(tmp_path_factory.mktemp("run") / "run")
    train(small_config, out)
    return out


@dataclasses.dataclass(frozen=True)
class Served:
    """A run, its exported SavedModel, and the signatures that `tf.saved_model.load` returns."""

    run: TrainedRun
    model: Path
    signatures: dict[str, object]

    def records(self, family: str) -> TrackRecords:
        from training.data.labels import labelled_tracks
        from training.data.records import TrackRecords

        spec = self.run.dataset.spec(family)
        return TrackRecords(self.run.dataset, labelled_tracks(self.run.dataset, self.run.labels, spec, "train"))

    def call(self, name: str, **inputs: object) -> np.ndarray:
        import tensorflow as tf

        (output,) = self.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()}).values()
        return output.numpy()


def _served(run: str, folder: Path) -> Served:
    import tensorflow as tf

    from training.runs.trained import open_run
    from training.serving.export import export

    with compiled_graphs():  # as a SavedModel holds them
        export(run, str(folder))
    return Served(open_run(run), folder, tf.saved_model.load(str(folder)).signatures)


@pytest.fixture(scope="session")
def spectrogram(small_run: str, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The SavedModel of `small_run`; tests only read it."""
    return _served(small_run, tmp_path_factory.mktemp("spectrogram") / "model")


@pytest.fixture(scope="session")
def waveform_run(small_config, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run of the waveform model; tests only read it."""
    from training.fit.train import train

    out = str(tmp_path_factory.mktemp("waveform run") / "run")
    train(dataclasses.replace(small_config, frontend="waveform", patch_seconds=1.5, epochs=1), out)
    return out


@pytest.fixture(scope="session")
def waveform(waveform_run: str, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The SavedModel of `waveform_run`; tests only read it."""
    return _served(waveform_run, tmp_path_factory.mktemp("waveform") / "model")
