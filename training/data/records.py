"""Read tracks' records by their locations in the payloads, and check their size, checksum, id and shape."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.console.errors import DatasetError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.examples import EXAMPLE_DTYPES, around_values, decode_example, value_count
from schemas.features import FAMILIES, INT16_SCALE, LogMelSpec
from schemas.label_version import open_labels
from schemas.storage.files import is_remote, read_range
from schemas.tfrecord import FOOTER_BYTES, HEADER_BYTES, OVERHEAD_BYTES, record_footer, record_header, unframe
from training.data.labels import LabelledTracks, labelled_tracks
from training.data.staging import Payload, Stage

_READERS = 16  # done marks read side by side: in a bucket each one costs a round trip

# Only a patch is read if that saves this many bytes of the record: more in a store, where each of its three reads is
# a round trip. Otherwise the whole record is read, and its checksum is verified too.
SAVED_BYTES = 1 << 20  # 1 MiB
SAVED_BYTES_REMOTE = 4 << 20  # 4 MiB


class TrackRecords:
    """The records of some labelled tracks; safe to use from several threads.

    When the reader is made, every payload that is needed is compared with its done mark, so that a missing or cut file
    is an error before the first step and never a short read.

    Args:
        dataset: the dataset.
        tracks: the tracks, and the features to read.
        stage: copies that are read instead of the payloads, as far as they exist.

    Raises:
        DatasetError: a payload is missing or its size differs from its done mark.
    """

    def __init__(self, dataset: Dataset, tracks: LabelledTracks, stage: Stage | None = None) -> None:
        self.spec = tracks.spec
        self.tracks = tracks
        self._row = tracks.spec.mels if isinstance(tracks.spec, LogMelSpec) else None
        self._dtype = EXAMPLE_DTYPES[self.spec.family]
        needed = sorted(set(zip(tracks.generation.tolist(), tracks.shard.tolist(), strict=True)))
        with concurrent.futures.ThreadPoolExecutor(_READERS) as readers:
            payloads = dict(
                zip(needed, readers.map(lambda place: dataset.payload(self.spec, *place), needed), strict=True)
            )
        ends: dict[tuple[int, int], int] = {}
        for place, end in zip(
            zip(tracks.generation.tolist(), tracks.shard.tolist(), strict=True),
            (tracks.offset + tracks.length).tolist(),
            strict=True,
        ):
            ends[place] = max(end, ends.get(place, 0))
        for place, (uri, mark) in payloads.items():
            if ends[place] > mark.bytes:
                raise DatasetError(
                    f"{uri}: expected a record to end at byte {ends[place]}, but the payload has {mark.bytes} bytes"
                )
        self._payloads, self._stage = payloads, stage

    @property
    def longest(self) -> int:
        """Number of frames or samples of the longest track; 0 if another program wrote the records."""
        number = int(np.argmax(self.tracks.length))
        return self._frame(number)[0] or 0

    def payloads(self, order: Iterable[int]) -> list[Payload]:
        """The payloads that hold some tracks, in the order in which the tracks need them."""
        tracks = self.tracks
        places = dict.fromkeys((int(tracks.generation[number]), int(tracks.shard[number])) for number in order)
        return [self._payloads[place] for place in places]

    def read(self, number: int) -> npt.NDArray[Any]:
        """The feature of track `number`: logmel float16 [frames, mels] or waveform int16 [samples].

        Raises:
            DatasetError: the bytes there are not this track's whole record.
        """
        uri, offset, length = self._place(number)
        where = f"{uri} at byte {offset}"
        payload = _payload(uri, offset, length, where)
        count, before, after = self._frame(number)
        if count is not None and payload.startswith(before) and payload.endswith(after):
            values = np.frombuffer(payload, self._dtype, offset=len(before), count=self._size(count))
            return values if self._row is None else values.reshape(count, self._row)
        # These are not the bytes that this project writes: parse them with protobuf.
        track_id, values = decode_example(self.spec.family, payload, where=where)
        if track_id != self.tracks.track_ids[number]:
            raise DatasetError(f"{where}: expected track {self.tracks.track_ids[number]!r}, found {track_id!r}")
        if self._row is not None and values.shape[1] != self._row:
            raise DatasetError(f"{where}: expected {self._row} mel bands, found {values.shape[1]}")
        return values

    def read_patches(
        self, number: int, patch: int, starts_of: Callable[[int], Sequence[int]]
    ) -> list[npt.NDArray[Any]]:
        """Parts of the feature of track `number`, each [patch(, mels)] or fewer if the track ends sooner.

        The record is read once, or for a long one only the patches, with the record's own head and the track's id; its
        checksum, which covers the whole record, is then left to `pipeline.run verify --deep`.

        Args:
            number: number of the track.
            patch: length in frames or samples.
            starts_of: returns where the patches start, given the track's frames or samples.

        Raises:
            DatasetError: the bytes there are not this track's record.
        """
        uri, offset, length = self._place(number)
        count, before, after = self._frame(number)
        row_bytes = self._size(1) * self._dtype.itemsize
        starts = [] if count is None else starts_of(count)
        saved = length - len(starts) * patch * row_bytes
        if count is None or saved < (SAVED_BYTES_REMOTE if is_remote(uri) else SAVED_BYTES):
            values = self.read(number)
            return [values[start : start + patch] for start in starts_of(len(values))]
        head = record_header(length - OVERHEAD_BYTES) + before
        if (
            _read(uri, offset, len(head)) != head
            or _read(uri, offset + length - FOOTER_BYTES - len(after), len(after)) != after
        ):
            self.read(number)  # raises an error that says what is there instead
            raise DatasetError(f"{uri} at byte {offset}: not the record of {self.tracks.track_ids[number]!r}")
        return [self._rows(uri, offset + len(head), start, min(patch, count - start)) for start in starts]

    def _rows(self, uri: str, values_offset: int, start: int, rows: int) -> npt.NDArray[Any]:
        """Some frames or samples of the record whose values begin at a byte of a payload."""
        row_bytes = self._size(1) * self._dtype.itemsize
        data = _read(uri, values_offset + start * row_bytes, rows * row_bytes)
        if len(data) != rows * row_bytes:
            raise DatasetError(f"{uri}: expected {rows * row_bytes} bytes of a record, received {len(data)}")
        values = np.frombuffer(data, self._dtype)
        return values if self._row is None else values.reshape(rows, self._row)

    def _place(self, number: int) -> tuple[str, int, int]:
        tracks = self.tracks
        uri, _ = self._payloads[int(tracks.generation[number]), int(tracks.shard[number])]
        if self._stage is not None:
            uri = self._stage.place_of(uri)
        return uri, int(tracks.offset[number]), int(tracks.length[number])

    def _frame(self, number: int) -> tuple[int | None, bytes, bytes]:
        """Number of frames or samples by the size of a track's record, and the bytes before and after its values."""
        track_id = self.tracks.track_ids[number]
        row_bytes = self._size(1) * self._dtype.itemsize
        payload_bytes = int(self.tracks.length[number]) - OVERHEAD_BYTES
        count = value_count(self.spec.family, len(track_id.encode()), payload_bytes, row_bytes)
        if count is None:
            return None, b"", b""
        return count, *around_values(self.spec.family, track_id, count, count * row_bytes)

    def _size(self, rows: int) -> int:
        return rows * (self._row or 1)


def open_records(root: str, label_set: str, split: str, features: str = "logmel") -> TrackRecords:
    """Open the stored features of one side of a split, with the labels of its tracks.

    >>> from training import open_records
    >>> records = open_records("data", "mine", "test")
    >>> records.tracks.targets.shape == (len(records.tracks), 3)
    True
    >>> logmel = records.read(0)
    >>> logmel.dtype, logmel.shape[1], records.tracks.track_ids[0].startswith("track-")
    (dtype('float16'), 96, True)

    Args:
        root: folder of the dataset.
        label_set: NAME for the newest version, NAME@HASH for a specific one.
        split: train, validation or test.
        features: logmel, waveform, or derived features by their name.

    Raises:
        UserError: there is no such dataset, label set or split, or the dataset does not hold these features.
        DatasetError: a payload is missing or damaged.
    """
    dataset = Dataset.open(root)
    family = next((family for family in FAMILIES if family == features), None)
    spec = dataset.features(features) if family is None else dataset.spec(family)
    return TrackRecords(dataset, labelled_tracks(dataset, open_labels(dataset, label_set), spec, split))


def _read(uri: str, offset: int, length: int) -> bytes:
    """Read bytes of a payload, which existed when the reader was made."""
    try:
        return read_range(uri, offset, length)
    except FileNotFoundError as error:
        raise DatasetError(
            f"{uri}: existed when this command began and is gone, as after `{pipeline_command('remove', '--purge')}`, which "
            "rewrites its other tracks under a new name; run the same command again"
        ) from error


def _payload(uri: str, offset: int, length: int, where: str) -> bytes:
    """A record's payload, checked. From a disk only the payload is read, which saves a copy of it."""
    if is_remote(uri) or length < OVERHEAD_BYTES:
        return unframe(_read(uri, offset, length), where=where)
    header = _read(uri, offset, HEADER_BYTES)
    payload = _read(uri, offset + HEADER_BYTES, length - OVERHEAD_BYTES)
    footer = _read(uri, offset + length - FOOTER_BYTES, FOOTER_BYTES)
    if header != record_header(len(payload)) or footer != record_footer(payload):
        return unframe(header + payload + footer, where=where)  # raises an error that says what is wrong
    return payload


def as_float(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """A stored feature as float32: log-mel as it is, a waveform with full scale at 1."""
    floats = values.astype(np.float32)
    return floats / np.float32(INT16_SCALE) if values.dtype == np.int16 else floats
