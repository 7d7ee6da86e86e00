"""Where the features of tracks come from: audio that is decoded, or the shards of a dataset."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.fetch import local_audio
from pipeline.audio.isolation import DecodedArray, DecodingProcess
from pipeline.jobs.payload_file import HashedFeature
from pipeline.jobs.stored_features import StoredFeatures
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, LogMelSpec, waveform_of
from schemas.storage.files import join

Read = Callable[[int, int], npt.NDArray[Any]]  # the features of a track from one frame or sample up to another
OpenTrack = Callable[[dict[str, Any], dict[str, Any]], tuple[Read, int]]


class TrackSource(Protocol):
    """Gives the features of tracks."""

    def shard(self, shard: int) -> contextlib.AbstractContextManager[OpenTrack]:
        """A function of a planned track and its row: it fills in the row's facts, and returns the features and their length.

        The features are valid until the next track. It raises TrackRejected.
        """
        ...


class DecodedTracks:
    """Tracks that are decoded, as a build decodes them.

    Args:
        decoding: Decodes them.
        spec: Features that the model reads.
        audio_root: Folder to which relative uris refer.
    """

    def __init__(self, decoding: DecodingProcess, spec: FeatureSpec, audio_root: str) -> None:
        self._decoding, self._spec, self._root = decoding, spec, audio_root

    @contextlib.contextmanager
    def shard(self, shard: int) -> Iterator[OpenTrack]:
        yield self._open

    def _open(self, planned: dict[str, Any], row: dict[str, Any]) -> tuple[Read, int]:
        waveform_spec = waveform_of(self._spec)
        with local_audio(join(self._root, planned["uri"]), waveform_spec.excerpt) as audio:
            row["source_checksum"] = audio.checksum
            features = self._decoding.features(audio.path, audio.pieces)
        waveform = features.waveform
        seconds = waveform.shape[0] / waveform_spec.sample_rate
        row.update(features.facts, seconds=seconds, pcm_sha256=HashedFeature(waveform).sha256())
        values: DecodedArray = features.logmel if isinstance(self._spec, LogMelSpec) else waveform
        return values.part, values.shape[0]


# Facts of a stored track, which its row here repeats.
_FACTS = ("seconds", "source_seconds", "sample_rate", "channels", "codec", "source_checksum", "pcm_sha256", "flags")


class StoredTracks:
    """Tracks whose features a dataset holds.

    Args:
        dataset: The dataset.
        spec: Features that the model reads.
        generation: Number of the dataset's generation, whose shards are those of the tags.
    """

    def __init__(self, dataset: Dataset, spec: FeatureSpec, generation: int) -> None:
        self._dataset, self._spec, self._generation = dataset, spec, generation
        tracks = dataset.tracks_of(generation)
        self._table = tracks.append_column("offset", dataset.places(spec, tracks)["offset"])
        self._shards = self._table["shard"].to_numpy()

    @contextlib.contextmanager
    def shard(self, shard: int) -> Iterator[OpenTrack]:
        first, end = np.searchsorted(self._shards, (shard, shard + 1))
        known = {row["track_id"]: row for row in self._table.slice(first, end - first).to_pylist()}
        spec = self._spec
        with StoredFeatures(self._dataset, spec, self._generation, shard) as stored:

            def open_track(planned: dict[str, Any], row: dict[str, Any]) -> tuple[Read, int]:
                found = known[planned["track_id"]]
                row.update({name: found[name] for name in _FACTS})
                if found["cause"] is not None:
                    # The writer adds the uri of a file that cannot be read.
                    message = found["message"].removesuffix(f": {planned['uri']}")
                    raise TrackRejected(Cause(found["cause"]), message)
                track = stored.track(found["track_id"], found["offset"], round(found["seconds"] * spec.sample_rate))
                if track.is_blank:
                    raise TrackRejected(Cause.REMOVED, "it was taken out before it was tagged")
                width = track.shape[1:]
                size = int(np.prod(width))

                def read(first: int, end: int) -> npt.NDArray[Any]:
                    return track.read(first * size, end * size).reshape(end - first, *width)

                return read, track.shape[0]

            yield open_track
