"""Turn an audio file into a track: choose the engine whose result counts, and handle broken files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.audio.audio_file import AudioFile
from pipeline.audio.bitstreams import BITSTREAM_CODECS, BitstreamFound
from pipeline.audio.causes import Cause, TrackRejected
from pipeline.audio.engines import Decoder, OpenSource, open_ffmpeg, open_joined, open_libsndfile, open_tfio
from pipeline.audio.joined_files import joined_parts
from pipeline.audio.limits import MAX_SECONDS, Limits
from pipeline.audio.ogg_pages import damage_of
from pipeline.audio.recognition import Recognized, recognize
from pipeline.audio.sample_store import MemoryStore, SampleStore
from pipeline.audio.sources import TRUNCATED_SECONDS
from pipeline.audio.waveform import DecodedTrack, decode
from schemas.features import WaveformSpec

_FINAL = (Cause.TOO_LONG, Cause.TOO_MANY_CHANNELS)  # causes that hold for every engine
_FAULTS = {"truncated": Cause.TRUNCATED, "corrupt": Cause.CORRUPT}  # flags that --strict rejects


@dataclasses.dataclass(frozen=True)
class DecodingPolicy:
    """How files are decoded.

    Attributes:
        decoder: `auto` tries libsndfile first, whatever the file's extension, and FFmpeg if libsndfile cannot read the
            file or reads it badly; `tfio` uses only tensorflow-io.
        strict: Reject truncated and corrupt tracks; otherwise the decoded part is kept and flagged.
        max_seconds: Reject longer sources.
        max_samples: Reject tracks whose stored waveform has more samples; None for no limit.
    """

    decoder: Decoder = "auto"
    strict: bool = False
    max_seconds: float = MAX_SECONDS
    max_samples: int | None = None


@dataclasses.dataclass(frozen=True)
class DecodingHooks:
    """Callbacks of the process around a decoder.

    Attributes:
        on_progress: Called after each decoded block.
        printed: Returns the decoder output since the last call: libmpg123 conceals broken frames and reports them only there.
    """

    on_progress: Callable[[], None] = lambda: None
    printed: Callable[[], str] = lambda: ""


def read_track(
    file: AudioFile, spec: WaveformSpec, policy: DecodingPolicy, store: SampleStore, hooks: DecodingHooks
) -> DecodedTrack:
    """Decode a file into the waveform that `spec` describes.

    A file that breaks its format's rules goes only to FFmpeg. If libsndfile cannot read a file, finds it corrupt or shorter
    than its header claims, or does not read to its end, FFmpeg decodes it too, and the longer result counts; of equal
    results libsndfile's counts.

    Args:
        file: An audio file of any rate and channel count.
        spec: Sample rate and excerpt.
        policy: How to decode.
        store: Receives the samples.
        hooks: Callbacks of the surrounding process.

    Raises:
        TrackRejected: no engine can read the file, it holds no samples, or it is broken and the policy is strict.
    """
    found = recognize(file)
    limits = Limits(policy.max_seconds, policy.max_samples)
    if policy.decoder == "tfio":
        track = decode(open_tfio, found, spec, store, limits, hooks.on_progress)
    else:
        track = _by_engines(found, spec, store, limits, hooks)
    if found.kind == "ogg" and track.at_end:
        track = _with_ogg_damage(found, track)
    if _missing_seconds(found, track) > TRUNCATED_SECONDS:
        track = _flagged(track, "truncated", track.message)
    for flag, cause in _FAULTS.items():
        if policy.strict and flag in track.flags:
            said = track.message if flag == "corrupt" else None  # a message may be about something else
            raise TrackRejected(cause, said or _words_of_truncation(found, track))
    return track


@dataclasses.dataclass(frozen=True)
class Waveform:
    """A decoded track in memory.

    Attributes:
        samples: int16 [samples], mono at the spec's rate; only the excerpt.
        track: Facts about the track.
    """

    samples: npt.NDArray[np.int16]
    track: DecodedTrack


def read_waveform(
    path: str, spec: WaveformSpec, policy: DecodingPolicy | None = None, hooks: DecodingHooks | None = None
) -> Waveform:
    """The stored waveform of a trusted local file; see `read_track`.

    The file is decoded in the caller's process, where a bad file may cause a crash, a hang or memory exhaustion; decode
    untrusted files with `pipeline.audio.isolation.DecodingProcess`.
    """
    store = MemoryStore()
    track = read_track(AudioFile(path), spec, policy or DecodingPolicy(), store, hooks or DecodingHooks())
    return Waveform(store.read(track.first, track.end), track)


def _words_of_truncation(found: Recognized, track: DecodedTrack) -> str:
    if found.kind == "ogg":
        return "the file ends within a page"
    if found.unclaimed_seconds > TRUNCATED_SECONDS:
        return f"the file goes on behind the {track.source_seconds:.3f} s that its header claims"
    return f"decodes to {track.source_seconds:.3f} s, its header claims more"


def _by_engines(
    found: Recognized, spec: WaveformSpec, store: SampleStore, limits: Limits, hooks: DecodingHooks
) -> DecodedTrack:
    def decoded_by(open_source: OpenSource) -> DecodedTrack:
        return decode(open_source, found, spec, store, limits, hooks.on_progress)

    if found.joined_at is not None:
        return decoded_by(open_joined)
    by_sndfile: DecodedTrack | None = None
    bitstream: BitstreamFound | None = None
    cause, doubt = Cause.UNSUPPORTED_FORMAT, found.doubt
    if doubt is None:
        try:
            hooks.printed()
            unheard = decoded_by(open_libsndfile)
            by_sndfile = _with_words(unheard, hooks.printed())
        except TrackRejected as rejected:
            if rejected.cause in _FINAL:
                raise
            bitstream = rejected if isinstance(rejected, BitstreamFound) else None
            cause, doubt = rejected.cause, f"libsndfile: {rejected.message}"
        if by_sndfile is not None and by_sndfile.unread and len(joined_parts(found.file, found.kind)) > 1:
            return decoded_by(open_joined)
        if by_sndfile is not None and not by_sndfile.unread and not _lacks(found, by_sndfile):
            return by_sndfile
    try:
        by_ffmpeg = decoded_by(open_ffmpeg)
    except TrackRejected as rejected:
        if by_sndfile is not None:
            return by_sndfile
        if rejected.cause is Cause.UNSUPPORTED_FORMAT:
            raise TrackRejected(cause, f"{doubt}; FFmpeg: {rejected.message}") from rejected
        raise
    if bitstream is not None and by_ffmpeg.codec not in BITSTREAM_CODECS:
        raise bitstream  # FFmpeg examines few samples at a time, and took the bitstream for samples too
    if by_sndfile is None:
        return by_ffmpeg
    if by_sndfile.source_seconds < by_ffmpeg.source_seconds:
        # FFmpeg conceals damage in FLAC that libFLAC detects by checksums.
        is_concealed = found.kind == "flac" and "corrupt" in by_sndfile.flags and "corrupt" not in by_ffmpeg.flags
        return _flagged(by_ffmpeg, "corrupt", by_sndfile.message) if is_concealed else by_ffmpeg
    # Errors that libmpg123 only prints count if FFmpeg finds a fault too: it complains about every mp3 that was cut out of
    # a longer one, because the first frame depends on a missing earlier one.
    return by_sndfile if "corrupt" in by_ffmpeg.flags else unheard


def _lacks(found: Recognized, track: DecodedTrack) -> bool:
    """True if another engine may decode more of a file, which excludes bytes missing from the file."""
    claimed_more = (
        found.claimed_seconds is not None and track.at_end and _missing_seconds(found, track) > TRUNCATED_SECONDS
    )
    return "corrupt" in track.flags or claimed_more


def _missing_seconds(found: Recognized, track: DecodedTrack) -> float:
    """Seconds that a track lacks against its header's claim, or that follow it and no engine could decode."""
    claimed = found.claimed_seconds if found.claimed_seconds is not None else track.claimed_seconds
    short = claimed - track.source_seconds if claimed is not None and track.at_end else 0.0
    return max(found.missing_seconds, found.unclaimed_seconds, short)


def _with_words(track: DecodedTrack, printed: str) -> DecodedTrack:
    """The track, flagged as corrupt if its decoder printed an error."""
    errors = [line for line in printed.splitlines() if "error:" in line]
    if not errors or track.message is not None:
        return track
    return _flagged(track, "corrupt", errors[0].strip())


def _with_ogg_damage(found: Recognized, track: DecodedTrack) -> DecodedTrack:
    """The track, flagged if its file lacks pages or parts of them, which decoders skip silently."""
    with found.file.open() as raw:
        damage = damage_of(raw)
    if damage.words is not None:
        track = _flagged(track, "corrupt", track.message or damage.words)
    return _flagged(track, "truncated", track.message) if damage.is_cut else track


def _flagged(track: DecodedTrack, flag: str, message: str | None) -> DecodedTrack:
    return dataclasses.replace(track, flags=tuple(sorted({*track.flags, flag})), message=message)
