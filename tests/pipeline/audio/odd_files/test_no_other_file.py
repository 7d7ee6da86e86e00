"""FFmpeg opens only the file that it is given, and no connection, whatever the file contains and is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import open_ffmpeg
from pipeline.audio.ffmpeg_formats import READ
from pipeline.audio.recognition import Recognized
from tests.pipeline.audio.odd_files.conftest import Decode


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Another file, which must not be read."""
    noise = np.random.default_rng(0).normal(scale=0.1, size=16_000)
    soundfile.write(tmp_path / "secret.wav", noise, 16_000)
    return tmp_path / "secret.wav"


def naming(secret: Path) -> dict[str, str]:
    """Format that FFmpeg recognizes -> a file that names another one."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{secret}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{secret.name}'\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet>'
        f"<Representation><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>\n",
    }


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp", "dash"])
@pytest.mark.parametrize("ending", ["mp3", "m3u8", "ffconcat", "sdp"])
def test_a_file_that_names_another_is_rejected(
    kind: str, ending: str, secret: Path, decode: Decode, tmp_path: Path
) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text(naming(secret)[kind])
    found = decode(path)
    assert (found.samples, found.cause) == (None, Cause.UNSUPPORTED_FORMAT)
    assert "is a playlist" in str(found.message)


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp", "dash"])
def test_ffmpeg_itself_would_not_open_it_either(kind: str, secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    path.write_text(naming(secret)[kind])
    with pytest.raises(TrackRejected) as rejected:
        open_ffmpeg(Recognized("other", AudioFile(str(path))))
    assert rejected.value.cause is Cause.UNSUPPORTED_FORMAT


def test_no_format_that_names_others_is_on_the_list() -> None:
    assert not {"hls", "dash", "concat", "concatf", "sdp", "rtsp", "rtp", "image2", "lavfi", "imf", "vobsub"} & set(
        READ
    )
