"""The corpus on disk has the same bytes for the same seed, is complete or refused, and can be read by anyone."""

import csv
import json
import time
from pathlib import Path

import pytest
import soundfile

from pipeline.corpus import synthesis
from pipeline.corpus.render import MANIFEST, UNFINISHED, render_corpus
from schemas.console.errors import UserError

TRACKS, SEED, SECONDS = 8, 3, 2.0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "corpus"
    render_corpus(str(folder), TRACKS, SEED, SECONDS, workers=1)
    return folder


def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    time.sleep(1.1)  # longer than a second, so that a timestamp in the bytes would show
    render_corpus(str(tmp_path / "again"), TRACKS, SEED, SECONDS, workers=3)
    assert contents(tmp_path / "again") == contents(corpus)


def test_an_empty_path_is_not_taken_for_a_folder() -> None:
    with pytest.raises(UserError, match="--out: expected a folder"):
        render_corpus("", TRACKS, SEED, SECONDS, workers=1)


def test_another_seed_gives_other_music(corpus: Path, tmp_path: Path) -> None:
    render_corpus(str(tmp_path / "other"), 4, SEED + 1, SECONDS, workers=1)
    other = contents(tmp_path / "other")
    same = contents(corpus)
    audio = [name for name in other if name.startswith("audio/")]
    assert len(audio) == 4
    assert all(other[name] != same[name] for name in audio)


def test_a_larger_corpus_begins_with_the_tracks_of_a_smaller_one(corpus: Path, tmp_path: Path) -> None:
    render_corpus(str(tmp_path / "small"), 3, SEED, SECONDS, workers=1)
    small, large = contents(tmp_path / "small"), contents(corpus)
    assert all(large[name] == data for name, data in small.items() if name.startswith("audio/"))
    assert large["catalog.csv"].startswith(small["catalog.csv"])
    assert large["annotations.csv"].startswith(small["annotations.csv"])


def test_every_track_is_in_the_catalog_and_can_be_decoded_to_its_length(corpus: Path) -> None:
    catalog = rows(corpus / "catalog.csv")
    assert len({row["track_id"] for row in catalog}) == TRACKS
    assert {row["uri"] for row in catalog} == {f"audio/{path.name}" for path in (corpus / "audio").iterdir()}
    for row in catalog:
        sound, rate = soundfile.read(corpus / row["uri"], always_2d=True)
        assert abs(len(sound) / rate - float(row["duration"])) < 0.2  # lossy codecs add padding
        assert 0.005 < sound.std() < 0.5
        assert abs(sound).max() < 1.5


def test_formats_come_in_rotation(corpus: Path) -> None:
    endings = [row["uri"].rsplit(".", 1)[1] for row in rows(corpus / "catalog.csv")]
    assert endings == ["mp3", "ogg", "flac", "wav"] * (TRACKS // 4)


def test_every_track_is_annotated_once_per_tag(corpus: Path) -> None:
    annotations = [(row["track_id"], row["tag"]) for row in rows(corpus / "annotations.csv")]
    assert len(annotations) == len(set(annotations))
    assert {track for track, _ in annotations} == {row["track_id"] for row in rows(corpus / "catalog.csv")}
    assert len({tag for _, tag in annotations}) >= 15


def test_the_summary_counts_what_is_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    seen: list[tuple[int, int]] = []
    summary = render_corpus(str(folder), 4, 0, 2, workers=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert summary.annotations == len(rows(folder / "annotations.csv")) == sum(summary.tags.values())
    assert summary.artists == len({row["group"] for row in rows(folder / "catalog.csv")})
    assert summary.formats == {"flac": 1, "mp3": 1, "ogg": 1, "wav": 1}
    assert summary.audio_bytes == sum(path.stat().st_size for path in (folder / "audio").iterdir())
    assert not summary.existed


def test_a_complete_corpus_is_left_as_it_is(corpus: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    summary = render_corpus(str(corpus), TRACKS, SEED, SECONDS)
    assert summary.existed
    assert summary.annotations == len(rows(corpus / "annotations.csv"))
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_a_rendering_that_was_stopped_is_finished_by_the_same_call(tmp_path: Path, corpus: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StoppedError

    folder = tmp_path / "corpus"
    with pytest.raises(StoppedError):
        render_corpus(str(folder), TRACKS, SEED, SECONDS, workers=1, progress=stop)
    assert not (folder / MANIFEST).exists()
    with pytest.raises(UserError, match="made with"):
        render_corpus(str(folder), TRACKS, SEED + 1, SECONDS)
    render_corpus(str(folder), TRACKS, SEED, SECONDS, workers=1)
    assert not (folder / UNFINISHED).exists()
    assert contents(folder) == contents(corpus)


def test_a_corpus_made_with_other_parameters_is_refused(corpus: Path) -> None:
    with pytest.raises(UserError, match=f"'seed': {SEED + 1}.*'seed': {SEED},"):
        render_corpus(str(corpus), TRACKS, SEED + 1, SECONDS)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("not to be lost")
    with pytest.raises(UserError, match="holds other files"):
        render_corpus(str(tmp_path), 1, 0, SECONDS)
    assert contents(tmp_path) == {"thesis.txt": b"not to be lost"}


def test_a_manifest_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(UserError, match="Expected JSON"):
        render_corpus(str(tmp_path), 1, 0, SECONDS)


def test_a_bucket_is_refused() -> None:
    with pytest.raises(UserError, match="Expected a local folder"):
        render_corpus("gs://bucket/corpus", 1, 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tracks": 0, "seed": 0}, "1 track or more"),
        ({"tracks": 1, "seed": -1}, "seed of 0 or more"),
        ({"tracks": 1, "seed": 0, "seconds": 0.5}, "tracks of 2 s or more"),
        ({"tracks": 1, "seed": 0, "seconds": float("nan")}, "tracks of 2 s or more"),
        ({"tracks": 1, "seed": 0, "workers": 0}, "1 worker or more"),
    ],
)
def test_a_parameter_out_of_range_is_refused(tmp_path: Path, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        render_corpus(str(tmp_path / "corpus"), **parameters)  # type: ignore[arg-type]
    assert not (tmp_path / "corpus").exists()


def test_a_missing_renderer_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tinysoundfont", None)
    with pytest.raises(UserError, match=r"pip install '\.\[corpus\]'.*--no-deps tinysoundfont"):
        render_corpus(str(tmp_path / "corpus"), 1, 0, SECONDS)
    assert not (tmp_path / "corpus").exists()


def test_a_missing_soundfont_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    synthesis.soundfont.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pretty_midi"):
        synthesis.soundfont()
    synthesis.soundfont.cache_clear()


def test_the_manifest_holds_parameters_and_counts(corpus: Path) -> None:
    manifest = json.loads((corpus / MANIFEST).read_text())
    assert manifest["parameters"] == {"tracks": TRACKS, "seed": SEED, "seconds": SECONDS, "version": 1}
    assert manifest["formats"] == {"flac": 2, "mp3": 2, "ogg": 2, "wav": 2}
    assert "out" not in manifest
