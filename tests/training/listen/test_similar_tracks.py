"""The search of the page: only the model's own tags are searched, and only the files that they name are played."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.audio import load_waveform
from schemas.console.errors import TagscaleError, UserError
from schemas.model_hash import model_hash
from tests.pipeline.tagging.conftest import TAGS
from training.listen.similar_tracks import playable_path, require_index, similar_tracks

WIDTH, TRACKS = 8, 30  # values of the small model's embedding


def write_tags(root: Path, made_by: Path, **options: object) -> TaggedTracks:
    """Tags of tracks with random embeddings, said to be made by a model."""
    rng = np.random.default_rng(0)
    rejected = options.pop("rejected", ())
    tracks = TaggedTracks(
        ids=[f"track {number:02d}" for number in range(TRACKS)],
        groups=[f"artist {number // 5}" for number in range(TRACKS)],
        embeddings=rng.random((TRACKS, WIDTH)).astype(np.float16),
        scores=rng.random((TRACKS, len(TAGS))).astype(np.float16),
        pcm=[f"{number:064x}" for number in range(TRACKS)],
        rejected=rejected,  # type: ignore[arg-type]
    )
    given = {"tags": TAGS, "model": model_hash(str(made_by)), **options}
    write_generation(root, tracks, **given)  # type: ignore[arg-type]
    return tracks


def test_tags_that_cannot_be_searched_are_refused_in_one_line(small_model: Path, tmp_path: Path) -> None:
    everything = [f"track {number:02d}" for number in range(TRACKS)]
    write_tags(tmp_path / "own", small_model)
    write_tags(tmp_path / "foreign", small_model, model="0" * 64)
    write_tags(tmp_path / "scores", small_model, with_embeddings=False)
    write_tags(tmp_path / "empty", small_model, rejected=everything)
    require_index(str(tmp_path / "own"), str(small_model))
    for name, words in (
        ("foreign", "found those of another model"),
        ("scores", "expected embeddings, found scores alone"),
        ("empty", "expected tagged tracks, found none"),
        ("missing", "expected tags, found no tags.json"),
    ):
        with pytest.raises(UserError, match=words) as refused:
            require_index(str(tmp_path / name), str(small_model))
        assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_the_nearest_tracks_are_those_of_the_model_s_embedding(small_model: Path, song: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    tracks = write_tags(tmp_path / "tags", small_model)
    (tmp_path / "audio").mkdir()
    waveform = load_waveform(str(song)).astype(np.float32) / 32_768
    embed = tf.saved_model.load(str(small_model)).signatures["embed"]
    asked = embed(waveform=tf.constant(waveform[np.newaxis]))["embedding"].numpy()[0].astype(np.float64)
    held = tracks.embeddings.astype(np.float64)
    cosines = held @ asked / np.linalg.norm(held, axis=1) / np.linalg.norm(asked)
    nearest = np.argsort(-cosines)[:10]
    playable = tmp_path / "audio" / f"{tracks.ids[nearest[2]]}.mp3"
    playable.touch()
    with tempfile.TemporaryFile() as file:
        file.write(song.read_bytes())
        file.flush()
        found = asyncio.run(similar_tracks(str(tmp_path / "tags"), str(small_model), song.name, file))
    assert [row["track_id"] for row in found.rows] == [tracks.ids[number] for number in nearest]
    np.testing.assert_allclose([row["similarity"] for row in found.rows], cosines[nearest], atol=2e-3)
    assert [row["plays"] for row in found.rows] == [rank == 3 for rank in range(1, 11)]
    assert found.paths == {3: str(playable)}
    with tempfile.TemporaryFile() as file, pytest.raises(TagscaleError) as failed:
        asyncio.run(similar_tracks(str(tmp_path / "tags"), str(small_model), "nothing.mp3", file))
    assert str(failed.value).startswith("nothing.mp3: ")  # and no path of a temporary file
    assert "/proc/" not in str(failed.value)


def test_only_an_audio_file_in_its_own_place_is_played(tmp_path: Path) -> None:
    music, elsewhere = tmp_path / "music", tmp_path / "elsewhere"
    for folder in (music, elsewhere):
        folder.mkdir()
        soundfile.write(folder / "a.wav", np.zeros(10), 8_000)
    (music / "notes.txt").write_text("mine")
    (music / "folder.mp3").mkdir()
    (music / "alias.wav").symlink_to("a.wav")
    (music / "away.wav").symlink_to(elsewhere / "a.wav")
    (music / "passwd.wav").symlink_to("/etc/passwd")
    (tmp_path / "linked").symlink_to(music)
    assert playable_path(str(music / "a.wav")) == str(music / "a.wav")
    assert playable_path(f"file://{music}/a.wav") == str(music / "a.wav")
    assert playable_path(str(music / "alias.wav")) == str(music / "a.wav")
    assert playable_path(str(tmp_path / "linked" / "a.wav")) == str(music / "a.wav")  # a folder that the catalog names
    for name in ("notes.txt", "folder.mp3", "away.wav", "passwd.wav", "missing.wav", "../../../../../etc/passwd"):
        assert playable_path(str(music / name)) is None, name
    assert playable_path("gs://bucket/a.mp3") is None
    assert playable_path(None) is None
