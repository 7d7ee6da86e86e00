"""The search of the page: only the model's own tags are searched, and only the files that they name are played."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from benchmarks.synthetic_tags import TaggedTracks, write_generation
from pipeline.audio import load_waveform
from pipeline.removal.tagged import take_out
from pipeline.search.similar import similar
from schemas.console.errors import TagscaleError, UserError
from schemas.features import LogMelSpec, WaveformSpec
from schemas.model_hash import model_hash
from tests.pipeline.tagging.conftest import TAGS
from training.listen.heard import HeardSong, Listener, Place
from training.listen.similar_tracks import SimilarSearch, SimilarTracks, playable_path, require_index
from training.serving.saved_model import SavedModel

WIDTH, TRACKS = 8, 30  # values of the small model's embedding


def write_tags(root: Path, made_by: Path, **options: object) -> TaggedTracks:
    """Tags of tracks with random embeddings, said to be made by a model."""
    first = int(str(options.pop("first", 0)))
    rng = np.random.default_rng(first)
    rejected = options.pop("rejected", ())
    tracks = TaggedTracks(
        ids=[f"track {number:02d}" for number in range(first, first + TRACKS)],
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


def heard(model: Path, excerpt: str, song: Path) -> HeardSong:
    """A song that was heard for a search in tags of an excerpt."""
    with open(song, "rb") as file:
        return Listener(SavedModel(str(model)), excerpt).hear(song.name, file)


@pytest.mark.slow
@pytest.mark.parametrize("excerpt", ["full", "center:2"])
def test_the_nearest_tracks_are_those_of_the_model_s_embedding(
    excerpt: str, small_model: Path, song: Path, tmp_path: Path
) -> None:
    import tensorflow as tf

    root = tmp_path / "tags"
    tracks = write_tags(root, small_model, spec=LogMelSpec(WaveformSpec(excerpt)))
    waveform = load_waveform(str(song), excerpt).astype(np.float32) / 32_768
    embed = tf.saved_model.load(str(small_model)).signatures["embed"]
    asked = embed(waveform=tf.constant(waveform[np.newaxis]))["embedding"].numpy()[0].astype(np.float64)
    held = tracks.embeddings.astype(np.float64)
    cosines = held @ asked / np.linalg.norm(held, axis=1) / np.linalg.norm(asked)
    order = np.argsort(-cosines)
    assert np.diff(-cosines[order[:12]]).min() > 2e-4  # rounding to float16 cannot change it
    playable = tmp_path / "audio" / f"{tracks.ids[order[2]]}.mp3"
    playable.parent.mkdir()
    playable.touch()
    one = heard(small_model, require_index(str(root), str(small_model)), song)

    async def searched() -> list[SimilarTracks]:
        first = await search.near(one)
        take_out(str(root), pa.array([tracks.ids[order[0]]]), purge=False)
        return [first, await search.near(one)]

    with SimilarSearch(str(root)) as search:
        first, again = asyncio.run(searched())
    assert [row["track_id"] for row in first.rows] == [tracks.ids[number] for number in order[:10]]
    np.testing.assert_allclose([row["similarity"] for row in first.rows], cosines[order[:10]], atol=2e-4)
    assert [row["plays"] for row in first.rows] == [rank == 3 for rank in range(1, 11)]
    assert first.paths == {3: str(playable)}
    # A removal counts at once, though the index is open.
    assert [row["track_id"] for row in again.rows] == [tracks.ids[number] for number in order[1:11]]
    if excerpt != "full":
        command = similar(str(root), file=str(song), model=str(small_model))
        assert [one.track_id for one in command.neighbours] == [row["track_id"] for row in again.rows]
        near = [row["similarity"] for row in again.rows]
        np.testing.assert_allclose([one.similarity for one in command.neighbours], near, atol=1e-4)


@pytest.mark.slow
def test_a_search_that_fails_is_told_and_the_next_one_works(small_model: Path, song: Path, tmp_path: Path) -> None:
    root = tmp_path / "tags"
    write_tags(root, small_model)
    one = heard(small_model, "full", song)
    silent = dataclasses.replace(one, place=Place(np.zeros(WIDTH, np.float16), np.zeros(len(TAGS), np.float16)))

    async def searched() -> None:
        with pytest.raises(TagscaleError, match=rf"{song.name}: its embedding is all zeros"):
            await search.near(silent)
        assert (await search.near(one)).rows
        write_tags(root, small_model, first=TRACKS)  # a generation that was added meanwhile
        near = await asyncio.gather(search.near(one), search.near(one))
        assert near[0] == near[1]
        assert search._process is not None
        os.kill(search._process.pid, signal.SIGKILL)
        with pytest.raises(TagscaleError, match="the search's process ended by signal SIGKILL"):
            await search.near(one)
        assert await search.near(one) == near[0]

    with SimilarSearch(str(root)) as search:
        asyncio.run(searched())
    with pytest.raises(RuntimeError):
        asyncio.run(search.near(one))


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
