"""A large tag in front of the audio, such as programs write for a picture, does not change the audio."""

from __future__ import annotations

import numpy as np
import pytest

from tests.pipeline.audio.odd_files.conftest import Decode, WriteSound
from tests.pipeline.audio.odd_files.tags import apev2, id3v2

TAG_BYTES = 200_000
# Ending -> how ffmpeg encodes it. Monkey's Audio would belong here too, but there is no encoder for it here.
ENCODED = {
    "mp3": "-c:a libmp3lame -q:a 2",
    "aac": "-c:a aac",
    "wv": "-c:a wavpack",
    "wma": "-c:a wmav2",
    "mka": "-c:a flac",
    "caf": "-c:a pcm_s16be",
    "amr": "-c:a libopencore_amrnb -ar 8000 -ac 1",
    "flac": "-c:a flac",
    "ogg": "-c:a libvorbis",
    "opus": "-c:a libopus",
    "m4a": "-c:a aac",
    "wav": "-c:a pcm_s16le",
    "aiff": "-c:a pcm_s16be",
    "tta": "-c:a tta",
    "ac3": "-c:a ac3",
}


@pytest.mark.parametrize("ending", ENCODED)
def test_audio_behind_a_large_tag_is_the_audio_without_it(ending: str, write_sound: WriteSound, decode: Decode) -> None:
    path = write_sound(f"a.{ending}", f"{ENCODED[ending]} -map_metadata -1", seconds=4.0)
    plain = decode(path)
    assert plain.seconds == pytest.approx(4.0, abs=0.1)
    path.write_bytes(id3v2(TAG_BYTES) + path.read_bytes())
    tagged = decode(path)
    np.testing.assert_array_equal(tagged.waveform, plain.waveform)
    assert (tagged.flags, tagged.message) == (plain.flags, plain.message) == ((), None)


@pytest.mark.parametrize("ending", ["mp3", "wv", "flac", "tta"])
def test_audio_before_a_large_tag_is_the_audio_without_it(ending: str, write_sound: WriteSound, decode: Decode) -> None:
    path = write_sound(f"a.{ending}", ENCODED[ending], seconds=4.0)
    plain = decode(path)
    path.write_bytes(path.read_bytes() + apev2(300_000))
    tagged = decode(path)
    # If the file is larger than the Xing header says, FFmpeg does not cut an encoder's padding, which is up to two frames.
    assert 0 <= len(tagged.waveform) - len(plain.waveform) <= 2 * 1152
    np.testing.assert_allclose(tagged.waveform[: len(plain.waveform) - 400], plain.waveform[:-400], rtol=0, atol=1)
    assert (tagged.flags, tagged.message) == ((), None)
