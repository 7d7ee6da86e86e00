"""A user's own catalog of real music in many formats, built with the commands from a folder with an odd name."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas.dataset import Dataset
from tests.conftest import NO_MATERIAL
from tests.warm_commands import run_warm

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "material" / "audio" / "real"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL.is_dir(), reason=NO_MATERIAL),
]

# One of each kind: mp3 (VBR, CBR mono, 22 kHz, 32 kHz), m4a with its index at the end, raw AAC, video with sound, FLAC in
# Ogg, Vorbis, FLAC.
CHOSEN = (
    "audioread/test-1.mp3",
    "derived/introzik_vbr.mp3",
    "derived/xmoto_menu_mono_cbr.mp3",
    "derived/elvish-theme_moov_at_end.m4a",
    "derived/options1.aac",
    "pydub/creative_common.mp4",
    "pydub/format_test.m4a",
    "pydub/bach.ogg",
    "pydub/test1.mp3",
    "librosa/snare-accelerate.ogg",
    "librosa/test_audio.flac",
    "sonic-pi/loop_tabla.flac",
)
TOLERANCE = 0.05  # seconds; decoders differ in what they treat as padding


def _pipeline(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_warm(["-m", "pipeline.run", *arguments], cwd=cwd)


def test_real_music_of_every_format_is_stored_with_its_true_length(tmp_path: Path) -> None:
    home = tmp_path / "Müsik & more (2)"
    (home / "音楽 dir").mkdir(parents=True)
    with open(REAL / "manifest.csv", newline="", encoding="utf-8") as file:
        truth = {row["path"]: row for row in csv.DictReader(file)}
    with open(home / "my catalog.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["track_id", "uri", "mood"])
        for path in CHOSEN:
            name = f"音楽 dir/{path.replace('/', ' – ')}"
            shutil.copyfile(REAL / path, home / name)
            writer.writerow([path, name, "any"])
    built = _pipeline("build", "--catalog", "my catalog.csv", "--dataset", "das set", "--excerpt", "full", cwd=home)
    assert built.returncode == 0, built.stderr
    assert f"{len(CHOSEN)} of the catalog, {len(CHOSEN)} stored" in built.stdout
    verified = _pipeline("verify", "--dataset", "das set", "--deep", cwd=home)
    assert (verified.returncode, verified.stdout.splitlines()[-1]) == (0, "everything reconciles")
    rows = {row["track_id"]: row for row in Dataset.open(str(home / "das set")).newest_tracks().to_pylist()}
    assert sorted(rows) == sorted(CHOSEN)
    for path, row in rows.items():
        expected = float(truth[path]["decoded_seconds"])
        assert row["source_seconds"] == pytest.approx(expected, abs=TOLERANCE), path
        assert row["seconds"] == pytest.approx(expected, abs=TOLERANCE), path
        assert (row["sample_rate"], row["channels"]) == (int(truth[path]["sample_rate"]), int(truth[path]["channels"]))
        assert row["flags"] in ([], ["clipped"])
