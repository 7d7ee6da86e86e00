"""Tracks with clustered embeddings, as those of a tagger are: artists around a hundred styles, none negative."""

from __future__ import annotations

import numpy as np

from benchmarks.synthetic_tags import TaggedTracks

WIDTH, TAGS = 500, 50
STYLES, TRACKS_PER_ARTIST, TRACKS_PER_SHARD = 100, 50, 1_000


def clustered(tracks: int, seed: int = 0, first: int = 0) -> TaggedTracks:
    """Tracks around artists around styles, which are the same for every seed.

    Args:
        tracks: Number of tracks.
        seed: What the artists and the tracks follow from.
        first: Number of the first track.
    """
    styles = np.random.default_rng(0).normal(size=(STYLES, WIDTH)).astype(np.float32)
    rng = np.random.default_rng([seed, 1])
    artists = -(-tracks // TRACKS_PER_ARTIST)
    centres = styles[rng.integers(STYLES, size=artists)] + rng.normal(scale=0.5, size=(artists, WIDTH)).astype(
        np.float32
    )
    artist = np.arange(tracks) // TRACKS_PER_ARTIST
    embeddings = np.empty((tracks, WIDTH), np.float16)
    for start in range(0, tracks, 10_000):
        part = centres[artist[start : start + 10_000]]
        noise = rng.standard_normal(part.shape, np.float32) * np.float32(0.3)
        embeddings[start : start + 10_000] = np.maximum(part + noise, 0)
    return TaggedTracks(
        ids=[f"{number:010d}" for number in range(first, first + tracks)],
        groups=[f"artist-{number:06d}" for number in (artist + first // TRACKS_PER_ARTIST).tolist()],
        embeddings=embeddings,
        scores=rng.random((tracks, TAGS), np.float32).astype(np.float16),
        pcm=[rng.bytes(32).hex() for _ in range(tracks)],
    )


def shards_of(tracks: int) -> int:
    """Number of shards in which to write so many tracks."""
    return max(1, tracks // TRACKS_PER_SHARD)
