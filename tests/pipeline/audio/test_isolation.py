"""Decoding runs in its own process: whatever a file does to the decoder, the result is one typed reject."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.isolation import DecodingProcess
from pipeline.audio.logmel import stored_logmel
from pipeline.audio.tracks import read_waveform
from schemas.features import LogMelSpec

WriteAudio = Callable[[Path, np.ndarray, int], Path]

ROOT = Path(__file__).parents[3]
SPEC = LogMelSpec()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory, write_audio: WriteAudio) -> Path:
    sound = np.random.default_rng(0).normal(scale=0.1, size=44_100)
    return write_audio(tmp_path_factory.mktemp("songs") / "good.wav", sound, 44_100)


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[DecodingProcess]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    # It takes longer than a second on a busy machine to use up all memory.
    callspec = getattr(request.node, "callspec", None)
    takes_memory = callspec is not None and callspec.params.get("cause") is Cause.DECODER_MEMORY
    with DecodingProcess(SPEC, module="misbehaving_decoder", stall_seconds=8.0 if takes_memory else 1.0) as decoding:
        yield decoding


def reject_of(decoding: DecodingProcess, path: Path) -> TrackRejected:
    with pytest.raises(TrackRejected) as rejected:
        decoding.features(str(path))
    assert str(path) not in rejected.value.message
    return rejected.value


def test_features_are_those_of_this_process(song: Path) -> None:
    here = read_waveform(str(song), SPEC.waveform)
    facts = {**here.track.facts(), "flags": list(here.track.flags)}
    with DecodingProcess(SPEC) as decoding:
        for _ in range(2):
            there = decoding.features(str(song))
            np.testing.assert_array_equal(there.waveform.array(), here.samples)
            np.testing.assert_array_equal(there.logmel.array(), stored_logmel(here.samples, SPEC))
            assert there.facts == facts


def test_a_part_of_a_feature_is_that_of_the_whole(song: Path) -> None:
    with DecodingProcess(SPEC) as decoding:
        there = decoding.features(str(song))
        for feature in (there.waveform, there.logmel):
            whole = feature.array()
            for first, end in ((0, 1), (7, 50), (len(whole) - 3, len(whole)), (5, 5), (0, len(whole))):
                np.testing.assert_array_equal(feature.part(first, end), whole[first:end])


def test_a_short_track_after_a_long_one_is_only_itself(song: Path, tmp_path: Path, write_audio: WriteAudio) -> None:
    short = write_audio(tmp_path / "short.wav", np.full(1000, 0.5), 16_000)
    with DecodingProcess(SPEC) as decoding:
        decoding.features(str(song))
        features = decoding.features(str(short))
    assert (features.waveform.shape, features.logmel.shape) == ((1000,), (4, 96))


def test_a_rejected_file_keeps_its_cause_and_words(song: Path, tmp_path: Path) -> None:
    (tmp_path / "page.mp3").write_text("no music here")
    with DecodingProcess(SPEC) as decoding:
        found = reject_of(decoding, tmp_path / "page.mp3")
        assert (found.cause, found.message[:12]) == (Cause.UNSUPPORTED_FORMAT, "libsndfile: ")
        assert decoding.features(str(song)).waveform.shape == (16_000,)


@pytest.mark.parametrize(
    ("name", "cause", "words"),
    [
        ("crash", Cause.DECODER_CRASH, "ended by signal SIGSEGV"),
        ("exit", Cause.DECODER_CRASH, "ended by exit code 3: libmusic: internal error"),
        ("hang", Cause.DECODER_TIMEOUT, "no progress for 1 s"),
        ("memory", Cause.DECODER_MEMORY, "50.0 GiB"),
        ("outside", Cause.DECODER_MEMORY, "more memory than it may use"),
        ("unchecked", Cause.DECODER_MEMORY, "more memory than it may use"),
        ("bug", Cause.DECODE_ERROR, "ZeroDivisionError: while reading the file"),
    ],
)
def test_a_misbehaving_decoder_is_one_typed_reject_and_the_next_track_decodes(
    name: str, cause: Cause, words: str, song: Path, tmp_path: Path, misbehaving: DecodingProcess
) -> None:
    bad = Path(shutil.copy(song, tmp_path / f"{name}.wav"))
    started = time.monotonic()
    found = reject_of(misbehaving, bad)
    assert found.cause is cause
    assert words in found.message
    assert time.monotonic() - started < 20
    assert misbehaving.features(str(song)).waveform.shape == (16_000,)


LARGE_PARENT = """
import sys
import numpy as np
from pipeline.audio.causes import TrackRejected
from pipeline.audio.isolation import DecodingProcess
from schemas.features import LogMelSpec
np.ones(int(1.6 * 2**30), np.uint8)  # given back, but the system counts it as the peak of every child, too
decoding = DecodingProcess(LogMelSpec(), module="misbehaving_decoder", memory_bytes=3 << 29, stall_seconds=8.0)
try:
    decoding.features(sys.argv[1])
except TrackRejected as rejected:
    print(rejected.cause.value)
"""


def test_memory_is_the_cause_even_where_this_process_has_used_more(song: Path, tmp_path: Path) -> None:
    bad = shutil.copy(song, tmp_path / "unchecked.wav")
    found = subprocess.run(
        [sys.executable, "-c", LARGE_PARENT, bad],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "faults")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "decoder_memory\n"


def test_a_slow_decoder_that_makes_progress_is_not_hung(
    song: Path, tmp_path: Path, misbehaving: DecodingProcess
) -> None:
    slow = shutil.copy(song, tmp_path / "slow.wav")  # 2 s, with progress every 0.5 s, against 1 s of patience
    assert misbehaving.features(str(slow)).waveform.shape == (16_000,)


def test_a_decoder_that_made_no_progress_is_given_one_more_chance(
    song: Path, tmp_path: Path, misbehaving: DecodingProcess
) -> None:
    once = shutil.copy(song, tmp_path / "once.wav")
    assert misbehaving.features(str(once)).waveform.shape == (16_000,)
    assert os.path.exists(f"{once}.tried")


def test_what_a_decoder_prints_does_not_disturb_the_answers(
    song: Path, tmp_path: Path, misbehaving: DecodingProcess
) -> None:
    chatty = shutil.copy(song, tmp_path / "chatty.wav")
    assert misbehaving.features(str(chatty)).waveform.shape == (16_000,)


def test_closing_ends_the_process_and_leaves_no_descriptor_open(song: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    decoding = DecodingProcess(SPEC)
    decoding.features(str(song))
    pid = decoding._process.pid  # type: ignore[union-attr]
    decoding.close()
    decoding.close()
    assert not os.path.exists(f"/proc/{pid}")
    assert set(os.listdir("/proc/self/fd")) == before


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


PARENT = """
import sys
from pipeline.audio.isolation import DecodingProcess
from schemas.features import LogMelSpec
decoding = DecodingProcess(LogMelSpec(), module="misbehaving_decoder")
decoding.features(sys.argv[1])
print(decoding._process.pid, flush=True)
decoding.features(sys.argv[2]) if sys.argv[2] else sys.stdin.read()
"""


@pytest.mark.parametrize("at_work", [False, True], ids=["waiting", "hung"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_ends_with_its_parent_however_that_ended(
    how: signal.Signals, at_work: bool, song: Path, tmp_path: Path
) -> None:
    hanging = str(shutil.copy(song, tmp_path / "hang.wav")) if at_work else ""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(song), hanging],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests" / "faults")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)
    time.sleep(0.2 * at_work)  # until it hangs
    parent.send_signal(how)
    parent.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


def test_the_cpu_time_of_the_process_is_reported_while_it_runs(song: Path) -> None:
    with DecodingProcess(SPEC) as decoding:
        assert decoding.cpu_seconds == 0
        decoding.features(str(song))
        first = decoding.cpu_seconds
        assert first > 0
        for _ in range(5):
            decoding.features(str(song))
        assert decoding.cpu_seconds > first
    assert decoding.cpu_seconds == 0
