"""A payload file: the places of its records, its hash, and the done mark that makes it count."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.jobs.payload_file import HashedFeature, PayloadFile
from schemas.console.errors import DatasetError
from schemas.examples import decode_example
from schemas.features import WaveformSpec
from schemas.layout import Layout
from schemas.manifests import ShardManifest, read_json
from schemas.tfrecord import unframe


class Samples:
    """Four samples in two blocks."""

    shape = (4,)
    nbytes = 8

    def blocks(self) -> Iterator[bytes]:
        yield b"\1\0\2\0"
        yield b"\3\0\4\0"


def test_a_payload_appears_when_it_is_published_and_its_mark_names_it(tmp_path: Path) -> None:
    layout, spec = Layout(str(tmp_path)), WaveformSpec()
    folder = Path(layout.features(spec, 0))
    with PayloadFile(layout, spec, 0, 7) as payload:
        places = [payload.append(track, Samples()) for track in ("a", "bc")]
        assert not list(folder.glob("part-*"))
        payload.publish()
    (published,) = folder.glob("part-00007-*.tfrecord")
    data = published.read_bytes()
    assert hashlib.sha256(data).hexdigest().startswith(published.stem.rsplit("-", 1)[1])
    for (offset, length), track in zip(places, ("a", "bc"), strict=True):
        found, values = decode_example("waveform", unframe(data[offset : offset + length], where=""), where="")
        assert (found, values.tolist()) == (track, [1, 2, 3, 4])
    assert not (folder / "part-00007.json").exists()
    payload.mark_done(3, "f" * 64)
    mark = ShardManifest.from_dict(read_json(str(folder / "part-00007.json"), ""), where="")
    assert (mark.payload, mark.records, mark.tracks, mark.bytes) == (published.name, 2, 3, len(data))
    payload.mark_done(3, "f" * 64)  # marking it again with the same content is no error
    with pytest.raises(DatasetError, match="another process finished this shard with other bytes"):
        payload.mark_done(4, "f" * 64)


def test_a_payload_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    layout, spec = Layout(str(tmp_path)), WaveformSpec()
    with pytest.raises(OSError, match="disk"), PayloadFile(layout, spec, 0, 0) as payload:
        payload.append("a", Samples())
        raise OSError("disk full")
    assert list(Path(layout.features(spec, 0)).iterdir()) == []


def test_a_feature_is_hashed_as_it_is_written_and_where_nobody_writes_it() -> None:
    expected = hashlib.sha256(b"\1\0\2\0\3\0\4\0").hexdigest()
    written = HashedFeature(Samples())
    assert b"".join(written.blocks()) == b"\1\0\2\0\3\0\4\0"
    assert written.sha256() == expected
    assert HashedFeature(Samples()).sha256() == expected
