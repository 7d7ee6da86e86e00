"""A shard's payload while it is written, and the done mark that makes it valid."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Any, Protocol

from pipeline.jobs.record_file import RecordFile
from schemas.console.errors import DatasetError
from schemas.examples import around_values
from schemas.features import FeatureSpec
from schemas.layout import Layout
from schemas.manifests import ShardManifest
from schemas.storage.files import join, write_if_absent


class FeatureBytes(Protocol):
    """A feature that is written as it is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def nbytes(self) -> int: ...

    def blocks(self) -> Iterator[bytes]:
        """Its bytes in blocks."""
        ...


class HashedFeature:
    """A feature whose bytes are hashed as they are written.

    Args:
        feature: The feature.
    """

    def __init__(self, feature: FeatureBytes) -> None:
        self._feature = feature
        self._digest: Any = None
        self.shape, self.nbytes = feature.shape, feature.nbytes

    def blocks(self) -> Iterator[bytes]:
        self._digest = hashlib.sha256()
        for block in self._feature.blocks():
            self._digest.update(block)
            yield block

    def sha256(self) -> str:
        """SHA-256 of its bytes, hex; reads them if they have not been read yet."""
        if self._digest is None:
            for _ in self.blocks():
                pass
        return str(self._digest.hexdigest())


class PayloadFile(RecordFile):
    """A payload that is written next to its final location.

    Args:
        layout: Layout of the dataset.
        spec: Spec of the features.
        generation: Number of the generation.
        shard: Number of the shard.
    """

    def __init__(self, layout: Layout, spec: FeatureSpec, generation: int, shard: int) -> None:
        super().__init__(join(layout.features(spec, generation), "payload"))
        self._layout = layout
        self._place = spec, generation, shard

    def append(self, track_id: str, values: FeatureBytes) -> tuple[int, int]:
        """Append a record; returns its offset and its length in bytes."""
        before, after = around_values(self._place[0].family, track_id, values.shape[0], values.nbytes)
        offset = self.bytes
        whole = itertools.chain((before,), values.blocks(), (after,))
        self.append_parts(track_id, len(before) + values.nbytes + len(after), whole)
        return offset, self.bytes - offset

    def publish(self) -> None:
        """Move the finished file to its final name, which carries its hash."""
        self.publish_as(self._layout.payload(*self._place, self.sha256()))

    def mark_done(self, tracks: int, tracks_sha256: str) -> None:
        """Create the done mark, the last act of a shard.

        Args:
            tracks: Number of rows in the shard's tracks part.
            tracks_sha256: SHA-256 of that part.

        Raises:
            DatasetError: there is already a mark with other bytes.
        """
        sha256 = self.sha256()
        mark = ShardManifest(
            payload=self._layout.payload(*self._place, sha256).rsplit("/", 1)[-1],
            records=self.records,
            bytes=self.bytes,
            sha256=sha256,
            tracks=tracks,
            tracks_sha256=tracks_sha256,
        ).to_bytes()
        uri = self._layout.done_mark(*self._place)
        if not write_if_absent(uri, mark):
            raise DatasetError(
                f"{uri}: another process finished this shard with other bytes; did the audio change meanwhile? "
                "Remove this file to build the shard again"
            )
