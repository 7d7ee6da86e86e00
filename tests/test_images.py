"""The images in docker/ pass their linter, are of the locked versions, and workers that only decode have no TensorFlow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HADOLINT = Path(sys.executable).with_name("hadolint")
IMAGES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def locked(lock: str) -> dict[str, str]:
    """Name -> version of each package of a lock file."""
    found = re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return dict(found)


def lock_of(image: Path) -> str:
    (lock,) = set(re.findall(r"locks/[a-z_]+[.]txt", image.read_text()))
    return lock


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_an_image_passes_its_linter(image: Path) -> None:
    ended = subprocess.run([HADOLINT, image], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_linter_finds_what_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /opt && sudo make\n")
    ended = subprocess.run([HADOLINT, tmp_path / "Dockerfile"], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "DL3004" in ended.stdout


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.stem)
def test_an_image_is_of_the_locked_version_of_beam(image: Path) -> None:
    (base,) = re.findall(r"^FROM (.*)$", image.read_text(), flags=re.MULTILINE)
    if image.stem == "training":
        assert base.startswith("python:3.11-")
    else:
        assert base == f"apache/beam_python3.11_sdk:{locked(lock_of(image))['apache-beam']}"


def test_workers_have_what_they_need_and_no_more() -> None:
    packages = {image.stem: set(locked(lock_of(image))) for image in IMAGES}
    assert {"tensorflow-cpu", "tensorflow"} & packages["tagger"]
    for light in ("worker", "tagger_onnx"):
        assert not {name for name in packages[light] if name.startswith(("tensorflow", "keras"))}
    assert "onnxruntime" in packages["tagger_onnx"]
    assert "tensorflow" in packages["training"]
