"""`tag` with several files: what it prints, its table and its timelines agree, and a bad file costs one row."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from matplotlib.image import imread

import training.run
import training.serving.tag_inputs
from schemas.console.errors import EXIT_USER_INPUT, TagscaleError, UserError
from tests.pipeline.tagging.conftest import TAGS
from training.serving.saved_model import SavedModel
from training.serving.tag import tag_with
from training.serving.timeline import Timelines

RATE = 16_000
LENGTHS = {"a.wav": 4.0, "b/a.flac": 2.5, "c.wav": 0.4}  # seconds; a patch takes about one

both_frontends = pytest.mark.parametrize("fixture", ["small_model", "small_waveform_model"])


load_once = functools.cache(SavedModel)


@pytest.fixture(autouse=True)
def each_model_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.serving.tag_inputs, "SavedModel", load_once)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with three songs and a file that is none."""
    rng = np.random.default_rng(0)
    for name, seconds in LENGTHS.items():
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.cumsum(rng.normal(scale=0.02, size=round(seconds * RATE))) % 0.5, RATE)
    (tmp_path / "music" / "bad.mp3").write_text("no music here")
    return tmp_path / "music"


def command(model: Path, *inputs: object, **options: Any) -> None:
    assert training.run.tag_command.callback is not None
    chosen = {"top": None, "as_json": False, "table": None, "timeline": None, **options}
    training.run.tag_command.callback(model=str(model), inputs=tuple(map(str, inputs)), **chosen)


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


@both_frontends
def test_the_table_and_the_timelines_hold_the_printed_scores(
    fixture: str, request: pytest.FixtureRequest, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model: Path = request.getfixturevalue(fixture)
    table, timeline = music.parent / "tags.csv", music.parent / "timelines"
    with pytest.raises(TagscaleError, match="^1 of 4 files could not be tagged$"):
        command(model, music, as_json=True, table=str(table), timeline=str(timeline))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["file"] for one in printed] == [str(music / name) for name in ("a.wav", "b/a.flac", "bad.mp3", "c.wav")]
    rows = rows_of(table)
    for one, row in zip(printed, rows, strict=True):
        assert list(row) == ["file", "seconds", "problem", "assigned", *TAGS]
        assert (row["file"], float(row["seconds"]), row["problem"]) == (
            one["file"],
            one["seconds"],
            one["problem"] or "",
        )
        assert {tag: float(row[tag]) for tag in TAGS if row[tag]} == one["scores"]
    names = {"a.wav": "a", "b/a.flac": "a-2", "c.wav": "c"}
    assert sorted(os.listdir(timeline)) == sorted(f"{name}.{end}" for name in names.values() for end in ("csv", "png"))
    for file, name in names.items():
        patches = rows_of(timeline / f"{name}.csv")
        assert list(patches[0]) == ["start_seconds", "end_seconds", *TAGS]
        scores = next(one["scores"] for one in printed if one["file"] == str(music / file))
        means = [np.mean([float(patch[tag]) for patch in patches]) for tag in TAGS]
        np.testing.assert_allclose(means, [scores[tag] for tag in TAGS], rtol=0, atol=1e-12)
        starts = [float(patch["start_seconds"]) for patch in patches]
        ends = [float(patch["end_seconds"]) for patch in patches]
        assert (starts[0], ends[-1]) == (0.0, LENGTHS[file])
        assert all(start < end for start, end in zip(starts, ends, strict=True))
        assert all(start <= end for start, end in zip(starts[1:], ends, strict=False))  # the last may overlap
        pixels = imread(io.BytesIO((timeline / f"{name}.png").read_bytes()), format="png")
        assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 10


def test_a_patch_of_the_timeline_is_scored_as_the_sound_between_its_seconds(
    small_waveform_model: Path, music: Path
) -> None:
    command(small_waveform_model, music / "b" / "a.flac", timeline=str(music.parent / "timelines"))
    samples, _ = soundfile.read(music / "b" / "a.flac", dtype="int16")
    patches = rows_of(music.parent / "timelines" / "a.csv")
    assert len(patches) == 3
    for patch in patches:
        first, end = (round(float(patch[f"{edge}_seconds"]) * RATE) for edge in ("start", "end"))
        soundfile.write(music.parent / "cut.wav", samples[first:end], RATE)
        (one,) = tag_with(load_once(str(small_waveform_model)), [str(music.parent / "cut.wav")])
        np.testing.assert_allclose([float(patch[tag]) for tag in TAGS], [one.scores[tag] for tag in TAGS], atol=1e-5)


def test_the_highest_tags_are_shown(small_model: Path, music: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def tags_of(line: str) -> list[str]:
        return re.findall(r"(?:: |, )([^,]*) [01]\.\d\d", line)

    song = music / "a.wav"
    command(small_model, song)
    command(small_model, song, top=2)
    command(small_model, song, as_json=True)
    command(small_model, song, as_json=True, top=2)
    whole, cut, *objects = capsys.readouterr().out.splitlines()
    assert sorted(tags_of(whole)) == sorted(TAGS)
    assert tags_of(cut) == tags_of(whole)[:2]
    assert [list(json.loads(one)["scores"]) for one in objects] == [tags_of(whole), tags_of(cut)]


def test_what_cannot_be_written_is_refused_before_a_file_is_looked_at(
    small_model: Path, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = music / "a.wav"
    before = song.read_bytes()
    for options in ({"table": str(song)}, {"table": str(music)}, {"timeline": str(song)}):
        with pytest.raises(UserError) as refused:
            command(small_model, song, **options)
        assert refused.value.exit_code == EXIT_USER_INPUT
    (music / "empty").mkdir()
    with pytest.raises(UserError, match="found none"):
        command(music / "no_model", song, music / "empty")
    assert song.read_bytes() == before
    assert capsys.readouterr().out == ""


def test_several_files_show_progress_and_one_does_not(
    small_model: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    class Counting(training.serving.tag_inputs.Progress):
        def update(self, done: int, note: str = "") -> None:
            seen.append((done, self._total))
            super().update(done, note)

    monkeypatch.setattr(training.serving.tag_inputs, "Progress", Counting)
    command(small_model, music / "c.wav")
    assert seen == []
    command(small_model, music / "c.wav", music / "b")
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_a_long_timeline_is_never_held_in_memory(small_model: Path, tmp_path: Path) -> None:
    model = load_once(str(small_model))
    files = [str(tmp_path / f"{seconds}.wav") for seconds in (20, 60, 300)]
    for file in files:
        sound = np.random.default_rng(0).normal(scale=0.1, size=int(Path(file).stem) * RATE)
        soundfile.write(file, sound, RATE)
    tagged = tag_with(model, files, Timelines(str(tmp_path / "timelines"), model, files, 5).of)
    next(tagged)  # allocates what is needed only once

    def most(step: Callable[[], object]) -> int:
        tracemalloc.start()
        try:
            step()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    short, long = most(lambda: next(tagged)), most(lambda: next(tagged))
    # Four minutes more are 7.7 MB as int16, and their log-mel is 5.8 MB.
    assert long < short + 1e6
    scores: npt.NDArray[np.float64] = np.loadtxt(tmp_path / "timelines" / "300.csv", delimiter=",", skiprows=1)
    assert scores.shape == (298, 2 + len(TAGS))
