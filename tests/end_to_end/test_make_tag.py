"""`make tag` gives a song's tags with published weights, and converts them only once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.end_to_end.programs import outside_make, run_program

ROOT = Path(__file__).parents[2]
# The environment that this test runs in stands for the one that the Makefile would make.
MAKE = ("make", "-o", ".venv/.locked")


@pytest.fixture(scope="module")
def checkout(musicnn_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts of a checkout that the target uses, with the wheel as if it had been downloaded, and a song."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Makefile", "locks", "pyproject.toml", "schemas", "pipeline", "training"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / "published").mkdir()
    shutil.copyfile(musicnn_wheel, folder / "published" / musicnn_wheel.name)
    sound = np.random.default_rng(0).normal(scale=0.1, size=44_100 * 4).astype(np.float32)
    soundfile.write(folder / "the song's.ogg", sound, 44_100)
    return folder


def _make(checkout: Path, *words: str, expected: int = 0) -> tuple[str, str]:
    environment = outside_make("FILE", "WEIGHTS", "PYTHONPATH")
    ended = run_program([*MAKE, *words], cwd=checkout, environment=environment, timeout=300, expected=expected)
    return ended.stdout, ended.stderr


@pytest.mark.slow
def test_a_song_gets_its_tags_and_the_weights_are_converted_once(checkout: Path) -> None:
    shown, _ = _make(checkout, "tag", "FILE=the song's.ogg")
    assert "published/MTT_musicnn: MTT_musicnn, trained on MagnaTagATune, 50 tags" in shown
    assert shown.splitlines()[-1].startswith("the song's.ogg (4.0 s): ")
    assert shown.splitlines()[-1].count(", ") == 4
    planned, _ = _make(checkout, "-n", "tag", "FILE=the song's.ogg")
    assert planned.splitlines()[-1] == '.venv/bin/python training/run.py tag --model published/MTT_musicnn "$FILE"'
    assert "import-weights" not in planned
    assert "pip" not in planned


def test_a_missing_song_is_named_before_anything_is_downloaded(checkout: Path) -> None:
    for words, received in ((["tag"], "''"), (["tag", "FILE=gone.mp3"], "'gone.mp3'")):
        _, said = _make(checkout, *words, expected=2)
        assert f"error: FILE: expected an audio file, received {received}" in said


def test_the_weights_come_from_the_locked_wheel_alone(checkout: Path) -> None:
    planned, _ = _make(checkout, "-n", "-W", "locks/published.txt", "tag", "FILE=the song's.ogg", "WEIGHTS=MSD_vgg")
    (download,) = [line for line in planned.splitlines() if "pip" in line]
    assert "--require-hashes -r locks/published.txt -d published" in download
    assert (ROOT / "locks" / "published.txt").read_text().count("--hash=sha256:") == 1
    assert "import-weights musicnn --model MSD_vgg" in planned
