"""In tagging, a bad file costs one line, whatever it does to its decoder, and a long file needs no more memory."""

from __future__ import annotations

import csv
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

import training.run
import training.serving.tag
import training.serving.tag_inputs
from pipeline.audio.causes import Cause
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.tracks import read_waveform
from schemas.console.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_STOPPED, TagscaleError, UserError
from schemas.features import WaveformSpec
from tests.faults.test_stopped_builds import processes_of, wait_until
from tests.training.conftest import TAGS, Served, sound_of
from training.data.records import as_float
from training.serving.saved_model import SavedModel
from training.serving.tag import TaggedFile, tag_files

ROOT = Path(__file__).parents[3]
FAULTS = ROOT / "tests" / "faults"
RATE = 22_050

load_once = functools.cache(SavedModel)
both_frontends = pytest.mark.parametrize("frontend", ["spectrogram", "waveform"])


@pytest.fixture(autouse=True)
def each_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.serving.tag, "SavedModel", load_once)
    monkeypatch.setattr(training.serving.tag_inputs, "SavedModel", load_once)


@pytest.fixture
def song(tmp_path: Path) -> str:
    sound, _ = sound_of(5)
    soundfile.write(tmp_path / "song.wav", sound, RATE)
    return str(tmp_path / "song.wav")


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding processes that crash, hang or take memory if a file's name says so."""
    monkeypatch.setenv("PYTHONPATH", str(FAULTS))
    process = functools.partial(DecodingProcess, module="misbehaving_decoder", stall_seconds=1.0)
    monkeypatch.setattr(training.serving.tag, "DecodingProcess", process)


def tag(served: Served, *files: str) -> list[TaggedFile]:
    tagged = list(tag_files(str(served.model), files))
    assert [one.file for one in tagged] == list(files)
    return tagged


def require_tagged(one: TaggedFile) -> None:
    assert one.problem is None
    assert sorted(one.scores) == sorted(TAGS)
    assert all(0 <= score <= 1 for score in one.scores.values())


def require_rejected(one: TaggedFile, *causes: str) -> None:
    assert (one.seconds, one.scores) == (0.0, {})
    cause, _, words = (one.problem or "").partition(": ")
    assert cause in causes
    assert words
    assert "\n" not in words


@both_frontends
@pytest.mark.parametrize("seconds", [0.4, 1.0, 1.5, 7.7])
def test_a_file_is_tagged_as_serving_default_scores_its_waveform(
    frontend: str, seconds: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(frontend)
    rng = np.random.default_rng(0)
    sound = np.cumsum(rng.normal(scale=0.02, size=(round(seconds * RATE), 2)), axis=0) % 0.5
    soundfile.write(tmp_path / "song.flac", sound, RATE)
    (one,) = tag(served, str(tmp_path / "song.flac"))
    require_tagged(one)
    samples = read_waveform(one.file, WaveformSpec("full")).samples
    assert one.seconds == len(samples) / 16_000
    whole = served.call("serving_default", waveform=as_float(samples)[np.newaxis])[0]
    np.testing.assert_allclose([one.scores[tag] for tag in TAGS], whole, atol=1e-5, rtol=0)
    assert list(one.scores.values()) == sorted(one.scores.values(), reverse=True)


def test_a_file_is_tagged_before_the_next_is_looked_at(spectrogram: Served, tmp_path: Path) -> None:
    first, second = tmp_path / "1.wav", tmp_path / "2.wav"
    soundfile.write(first, np.sin(np.arange(32_000) / 8), 16_000)
    tagged = tag_files(str(spectrogram.model), [str(first), str(second)])
    one = next(tagged)
    shutil.copy(first, second)
    two = next(tagged)
    assert (one.file, two.file) == (str(first), str(second))
    assert one.scores == two.scores
    assert one.scores


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("crash", Cause.DECODER_CRASH),
        ("exit", Cause.DECODER_CRASH),
        ("hang", Cause.DECODER_TIMEOUT),
        ("memory", Cause.DECODER_MEMORY),
        ("bug", Cause.DECODE_ERROR),
    ],
)
def test_a_decoder_that_misbehaves_costs_one_file(
    name: str, cause: Cause, spectrogram: Served, song: str, tmp_path: Path, misbehaving: None
) -> None:
    bad = str(shutil.copy(song, tmp_path / f"{name}.wav"))
    first, rejected, last = tag(spectrogram, song, bad, song)
    require_tagged(first)
    require_rejected(rejected, cause)
    assert last == first


def test_what_is_no_audio_costs_one_file(spectrogram: Served, song: str, tmp_path: Path) -> None:
    (tmp_path / "page.mp3").write_text("no music here")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "silence.wav", np.zeros(0), 16_000)
    causes = {
        "page.mp3": ("unsupported_format",),
        "empty.wav": ("unsupported_format", "empty"),
        "folder.wav": ("io_error", "not_a_file"),
        "gone.wav": ("not_found",),
        "nowhere.wav": ("not_found",),
        "silence.wav": ("empty",),
    }
    tagged = tag(spectrogram, *(str(tmp_path / name) for name in causes), song)
    for one, allowed in zip(tagged, causes.values(), strict=False):
        require_rejected(one, *allowed)
    require_tagged(tagged[-1])


def test_a_pipe_costs_one_file(spectrogram: Served, song: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    rejected, last = tag(spectrogram, str(tmp_path / "pipe.wav"), song)
    require_rejected(rejected, "not_a_file")
    require_tagged(last)


def test_files_that_ended_the_command_cost_one_file_at_most(spectrogram: Served, song: str, material: Path) -> None:
    hostile = material.parent / "cases" / "hostile"
    files = [hostile / "bad.wav", hostile / "sr1.flac", material / "audio" / "odd" / "c8-aac.m4a"]
    *doubtful, last = tag(spectrogram, *(str(path) for path in files if path.exists()), song)
    assert doubtful
    for one in doubtful:
        if one.problem is not None:  # a newer decoder may be able to read it
            require_rejected(one, *Cause)
    require_tagged(last)


def test_a_model_of_another_excerpt_hears_the_whole_file(spectrogram: Served, tmp_path: Path) -> None:
    model = Path(shutil.copytree(spectrogram.model, tmp_path / "model"))
    spec = json.loads((model / "assets" / "feature_spec.json").read_text())
    spec["waveform"]["excerpt"] = "start:1"
    (model / "assets" / "feature_spec.json").write_text(json.dumps(spec))
    soundfile.write(tmp_path / "long.wav", np.sin(np.arange(50_000) / 8), 16_000)
    (one,) = tag_files(str(model), [str(tmp_path / "long.wav")])
    assert one.seconds == 50_000 / 16_000


@both_frontends
def test_a_long_file_is_never_held_in_memory(
    frontend: str, request: pytest.FixtureRequest, song: str, tmp_path: Path
) -> None:
    served: Served = request.getfixturevalue(frontend)
    tagged = tag_files(str(served.model), [song, str(tmp_path / "long.wav")])
    next(tagged)  # allocates what is needed only once
    samples = 300 * 16_000
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(scale=0.1, size=samples), 16_000)
    tracemalloc.start()
    try:
        require_tagged(next(tagged))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The file is 9.6 MB as int16 and 19.2 MB as float32, and its log-mel is 7.2 MB; 15 s of the waveform are 0.96 MB.
    assert most < 6e6


def command(served: Served, *files: str, as_json: bool = False) -> None:
    assert training.run.tag_command.callback is not None
    options = {"top": None, "as_json": as_json, "table": None, "timeline": None}
    training.run.tag_command.callback(model=str(served.model), inputs=files, **options)


def test_a_rejected_file_is_a_line_on_stderr_and_the_command_fails(
    spectrogram: Served, song: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(spectrogram, song)
    capsys.readouterr()
    gone = str(tmp_path / "gone.wav")
    with pytest.raises(TagscaleError, match="^1 of 3 files could not be tagged$") as failed:
        command(spectrogram, song, gone, song)
    assert failed.value.exit_code == EXIT_FAILED
    written = capsys.readouterr()
    assert written.err == f"{gone}: not tagged: not_found: no such file\n"
    first, second = written.out.splitlines()
    assert first == second
    shown = r"\w+ [01]\.\d\d \([≥<] [01]\.\d\d\)"
    assert re.fullmatch(rf"{re.escape(song)} \(4\.0 s\): {shown}(, {shown}){{{len(TAGS) - 1}}}", first)


def test_each_file_is_one_json_object_a_line_with_its_scores_or_its_problem(
    spectrogram: Served, song: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = str(tmp_path / "gone.wav")
    with pytest.raises(TagscaleError, match="^1 of 2 files could not be tagged$"):
        command(spectrogram, gone, song, as_json=True)
    written = capsys.readouterr()
    assert written.err == ""
    rejected, tagged = map(json.loads, written.out.splitlines())
    assert rejected == {
        "file": gone,
        "seconds": 0.0,
        "scores": {},
        "problem": "not_found: no such file",
        "assigned": [],
    }
    assert list(tagged) == ["file", "seconds", "scores", "problem", "assigned"]
    assert (tagged["file"], tagged["seconds"], tagged["problem"]) == (song, 4.0, None)
    assert sorted(tagged["scores"]) == sorted(TAGS)
    least = json.loads((spectrogram.model / "assets" / "thresholds.json").read_text())["thresholds"]
    assert tagged["assigned"] == [tag for tag, score in tagged["scores"].items() if score >= least[tag]]


def test_a_wrong_model_is_refused_before_any_file_is_looked_at(tmp_path: Path, misbehaving: None) -> None:
    with pytest.raises(UserError, match="expected a SavedModel, found no saved_model.pb"):
        tag_files(str(tmp_path), ["hang.wav"])


STOPPED = """
import functools, signal, sys
import training.run
from training.devices.tensorflow_import import import_tensorflow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
import_tensorflow()
import training.serving.tag
training.serving.tag.DecodingProcess = functools.partial(
    training.serving.tag.DecodingProcess, module="misbehaving_decoder", stall_seconds=300.0
)
training.run.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, EXIT_STOPPED)])
def test_a_command_that_is_stopped_leaves_no_decoder_behind(
    how: signal.Signals, code: int, spectrogram: Served, song: str, tmp_path: Path
) -> None:
    hanging = str(shutil.copy(song, tmp_path / "once.wav"))
    table = tmp_path / "tags.csv"
    stopped = subprocess.Popen(
        [sys.executable, "-c", STOPPED, "tag", "--model", str(spectrogram.model), "--csv", str(table), song, hanging],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(FAULTS)))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert stopped.stdout is not None
    assert stopped.stdout.readline().startswith(f"{song} (4.0 s): ")
    wait_until(lambda: os.path.exists(f"{hanging}.tried"))  # from here on it hangs
    decoders = [pid for pid, words in processes_of(stopped.pid).items() if "-m misbehaving_decoder" in words]
    assert len(decoders) == 1
    stopped.send_signal(how)
    _, words = stopped.communicate(timeout=60)
    assert stopped.returncode == code
    assert len(words.strip().splitlines()) == 1
    with open(table, newline="", encoding="utf-8") as rows:
        assert [(row["file"], row["problem"]) for row in csv.DictReader(rows)] == [(song, "")]
    wait_until(lambda: not processes_of(stopped.pid))
