"""The computed places of a derived family are the actual places of its records."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from schemas.examples import encode_example
from schemas.features import LogMelSpec
from schemas.places import computed_places
from schemas.tables import TRACKS
from schemas.tfrecord import frame


def test_computed_places_are_those_of_records_written_one_after_the_other() -> None:
    spec = LogMelSpec(mels=40)
    rng = np.random.default_rng(0)
    rows, expected = [], []
    for shard in range(3):
        offset = record = 0
        for number in range(40):
            track = "ü" * int(rng.integers(1, 80)) + str(number)  # the length of an id takes one byte or two
            samples = int(rng.choice([0, 1, 255, 256, 20_000, 480_000, 5_000_000]))
            row = dict.fromkeys(TRACKS.names)
            row.update(track_id=track, group=track, shard=shard, transient=False, flags=[])
            if number % 7 == 3:
                expected.append((None, None))
            else:
                row.update(record=record, seconds=samples / 16_000)
                length = len(frame(encode_example("logmel", track, np.zeros((spec.frames(samples), 40), np.float16))))
                expected.append((offset, length))
                offset, record = offset + length, record + 1
            rows.append(row)
    places = computed_places(spec, pa.Table.from_pylist(rows, schema=TRACKS))
    assert list(zip(places["offset"].to_pylist(), places["length"].to_pylist(), strict=True)) == expected


def test_no_tracks_and_rejects_alone_have_no_places() -> None:
    assert computed_places(LogMelSpec(), TRACKS.empty_table()).num_rows == 0
    row = dict.fromkeys(TRACKS.names)
    row.update(track_id="a", group="a", shard=0, transient=False, flags=[], cause="empty")
    assert computed_places(LogMelSpec(), pa.Table.from_pylist([row], schema=TRACKS)).to_pylist() == [
        {"offset": None, "length": None}
    ]
