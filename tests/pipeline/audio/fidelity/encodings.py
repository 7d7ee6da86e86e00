"""The encodings with which decoding is tested, and every known departure from FFmpeg's decode with its reason."""

from __future__ import annotations

import dataclasses

SECONDS = 3.3  # more than two blocks of 65,536 frames at 44.1 kHz


@dataclasses.dataclass(frozen=True)
class Departure:
    """How the product's decode of an encoding differs from the ffmpeg program's, and which one is right.

    Attributes:
        lag: the product's sample `i + lag` is FFmpeg's sample `i`.
        at_end: frames that the product gives after FFmpeg's last one.
        within: largest difference of a sample, where full scale is 1.
        order: index of the product's channel for each channel of FFmpeg; None for the same order.
        reason: why they differ.
    """

    lag: int = 0
    at_end: int = 0
    within: float = 1e-5
    order: tuple[int, ...] | None = None
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Encoding:
    """One way to encode the seeded sound.

    Attributes:
        name: name of the test case.
        ending: file name extension.
        rate: sample rate in Hz of the sound and of its decode.
        channels: number of channels of the sound.
        ffmpeg: options of ffmpeg's output; empty if libsndfile encodes.
        libsndfile: format and subtype of soundfile.
        options: further options of soundfile.
        decoder: options of the reference's input.
        departure: departure from the reference; most have none.
    """

    name: str
    ending: str
    rate: int = 44_100
    channels: int = 2
    ffmpeg: tuple[str, ...] = ()
    libsndfile: tuple[str, str] = ("", "")
    options: tuple[tuple[str, object], ...] = ()
    decoder: tuple[str, ...] = ()
    departure: Departure = Departure()


def _fills_last_frame(rate: int, delay: int, frame: int) -> int:
    """Samples that an encoder with this delay adds to fill its last frame."""
    return -(round(SECONDS * rate) + delay) % frame


def _in_mp4(rate: int, delay: int, frame: int) -> Departure:
    reason = "FFmpeg 9 cuts what fills the last frame, by the edit list; PyAV's FFmpeg 8 keeps it"
    return Departure(at_end=_fills_last_frame(rate, delay, frame), reason=reason)


_LIBOPUS = ("-c:a", "libopus")  # the standard's decoder, as in libsndfile; FFmpeg's own one rounds SILK differently
_OF_16_BITS = Departure(within=5e-5, reason="the reference's decoder gives 16 bits, libsndfile's floats")
_VORBIS_ORDER = {
    6: Departure(order=(0, 2, 1, 5, 3, 4), reason="libsndfile keeps Vorbis's order of channels; the mean is the same"),
    8: Departure(order=(0, 2, 1, 7, 5, 6, 3, 4), reason="libsndfile keeps Vorbis's order of channels"),
}
_OPUS_ORDER = dataclasses.replace(_VORBIS_ORDER[6], within=_OF_16_BITS.within)
_ALAC_IN_CAF = Departure(
    at_end=_fills_last_frame(44_100, 0, 4096), reason="FFmpeg cuts off the last packet what it would take to fill it"
)
_FLOORING = Departure(within=0.02, reason="libsndfile rounds predictions down, as Microsoft's code does; FFmpeg to 0")
_IMA4 = Departure(within=4e-3, reason="libsndfile and FFmpeg round the step of QuickTime's ADPCM differently")


def _by_ffmpeg(name: str, ending: str, options: str, rate: int = 44_100, channels: int = 2, **rest: object) -> Encoding:
    return Encoding(name, ending, rate, channels, ffmpeg=tuple(options.split()), **rest)  # type: ignore[arg-type]


def _by_libsndfile(
    name: str, ending: str, kind: str, subtype: str, rate: int = 44_100, channels: int = 2, **rest: object
) -> Encoding:
    return Encoding(name, ending, rate, channels, libsndfile=(kind, subtype), **rest)  # type: ignore[arg-type]


_MP3_RATES = {
    48_000: 128,
    44_100: 128,
    32_000: 96,
    24_000: 64,
    22_050: 64,
    16_000: 48,
    12_000: 32,
    11_025: 32,
    8_000: 24,
}

MP3 = (
    *(
        _by_ffmpeg(f"mp3-cbr-{rate}-{channels}", "mp3", f"-c:a libmp3lame -b:a {kbits}k", rate, channels)
        for rate, kbits in _MP3_RATES.items()
        for channels in (1, 2)
    ),
    _by_ffmpeg("mp3-plain-stereo", "mp3", "-c:a libmp3lame -b:a 192k -joint_stereo 0"),
    _by_ffmpeg("mp3-320", "mp3", "-c:a libmp3lame -b:a 320k"),
    _by_ffmpeg("mp3-64", "mp3", "-c:a libmp3lame -b:a 64k"),
    _by_ffmpeg("mp3-without-reservoir", "mp3", "-c:a libmp3lame -b:a 128k -reservoir 0"),
    _by_ffmpeg("mp3-abr", "mp3", "-c:a libmp3lame -abr 1 -b:a 128k"),
    _by_ffmpeg("mp3-abr-plain-stereo", "mp3", "-c:a libmp3lame -abr 1 -b:a 160k -joint_stereo 0"),
    *(_by_ffmpeg(f"mp3-vbr-{quality}", "mp3", f"-c:a libmp3lame -q:a {quality}") for quality in (0, 2, 5, 9)),
    _by_ffmpeg("mp3-vbr-mono", "mp3", "-c:a libmp3lame -q:a 2", channels=1),
    _by_ffmpeg("mp3-vbr-22050", "mp3", "-c:a libmp3lame -q:a 4", 22_050),
    _by_ffmpeg("mp3-vbr-11025", "mp3", "-c:a libmp3lame -q:a 4", 11_025),
    _by_ffmpeg("mp3-cbr-no-xing", "mp3", "-c:a libmp3lame -b:a 128k -write_xing 0 -id3v2_version 0"),
    _by_ffmpeg("mp3-cbr-no-xing-id3", "mp3", "-c:a libmp3lame -b:a 128k -write_xing 0"),
    _by_ffmpeg("mp3-vbr-no-xing", "mp3", "-c:a libmp3lame -q:a 4 -write_xing 0"),
    _by_ffmpeg("mp3-no-xing-22050", "mp3", "-c:a libmp3lame -b:a 64k -write_xing 0", 22_050, 1),
    _by_ffmpeg("mp3-no-xing-11025", "mp3", "-c:a libmp3lame -b:a 32k -write_xing 0", 11_025, 1),
    *(
        _by_libsndfile(
            f"mp3-by-libsndfile-{mode.lower()}-{level}", "mp3", "MP3", "MPEG_LAYER_III",
            options=(("bitrate_mode", mode), ("compression_level", level)),
        )
        for mode in ("CONSTANT", "AVERAGE", "VARIABLE")
        for level in (0.0, 0.5, 0.9)
    ),
    _by_libsndfile("mp3-by-libsndfile-24000", "mp3", "MP3", "MPEG_LAYER_III", 24_000, 1),
    _by_libsndfile("mp3-by-libsndfile-16000", "mp3", "MP3", "MPEG_LAYER_III", 16_000, 2),
    _by_libsndfile("mp3-by-libsndfile-8000", "mp3", "MP3", "MPEG_LAYER_III", 8_000, 1),
    *(
        _by_ffmpeg(
            f"mp2-{rate}-{channels}", "mp2", f"-c:a mp2 -b:a {128 if rate >= 32_000 else 64}k", rate, channels,
            departure=_OF_16_BITS,
        )
        for rate, channels in ((44_100, 2), (48_000, 1), (32_000, 2), (24_000, 2), (22_050, 1), (16_000, 1))
    ),
)  # fmt: skip

XIPH = (
    *(_by_ffmpeg(f"vorbis-{quality}", "ogg", f"-c:a libvorbis -q:a {quality}") for quality in (-1, 3, 6, 10)),
    _by_ffmpeg("vorbis-mono", "ogg", "-c:a libvorbis -q:a 3", channels=1),
    _by_ffmpeg("vorbis-16000", "ogg", "-c:a libvorbis -q:a 3", 16_000),
    _by_ffmpeg("vorbis-8000", "ogg", "-c:a libvorbis -q:a 3", 8_000, 1),
    _by_ffmpeg("vorbis-5.1", "ogg", "-c:a libvorbis -q:a 3", 48_000, 6, departure=_VORBIS_ORDER[6]),
    _by_ffmpeg("vorbis-96000", "ogg", "-c:a libvorbis -q:a 3", 96_000),
    _by_libsndfile("vorbis-by-libsndfile", "ogg", "OGG", "VORBIS"),
    _by_libsndfile("vorbis-by-libsndfile-22050", "ogg", "OGG", "VORBIS", 22_050, 1),
    _by_libsndfile("vorbis-by-libsndfile-7.1", "ogg", "OGG", "VORBIS", 48_000, 8, departure=_VORBIS_ORDER[8]),
    *(
        _by_ffmpeg(f"opus-{name}", "opus", f"-c:a libopus {options}", 48_000, channels, decoder=_LIBOPUS, departure=_OF_16_BITS)
        for name, channels, options in (
            ("24", 2, "-b:a 24k"), ("64", 2, "-b:a 64k"), ("128", 2, "-b:a 128k"), ("mono", 1, "-b:a 48k"),
            ("2.5ms", 2, "-b:a 128k -frame_duration 2.5"), ("60ms", 2, "-b:a 64k -frame_duration 60"),
            ("speech", 1, "-b:a 12k -application voip"),
        )
    ),
    _by_ffmpeg("opus-5.1", "opus", "-c:a libopus -b:a 256k", 48_000, 6, decoder=_LIBOPUS, departure=_OPUS_ORDER),
    _by_libsndfile("opus-by-libsndfile", "opus", "OGG", "OPUS", 48_000, decoder=_LIBOPUS, departure=_OF_16_BITS),
    _by_ffmpeg("flac-16", "flac", "-c:a flac -sample_fmt s16"),
    _by_ffmpeg("flac-24", "flac", "-c:a flac -sample_fmt s32", 96_000),
    _by_ffmpeg("flac-16000", "flac", "-c:a flac", 16_000, 1),
    _by_ffmpeg("flac-5.1", "flac", "-c:a flac", 48_000, 6),
    _by_ffmpeg("flac-16-in-ogg", "oga", "-c:a flac -sample_fmt s16 -f ogg"),
    _by_ffmpeg("flac-24-in-ogg", "oga", "-c:a flac -sample_fmt s32 -f ogg"),
    _by_ffmpeg("flac-in-mka", "mka", "-c:a flac"),
    _by_ffmpeg("flac-in-mp4", "mp4", "-c:a flac"),
    *(_by_libsndfile(f"flac-by-libsndfile-{subtype.lower()}", "flac", "FLAC", subtype) for subtype in ("PCM_S8", "PCM_24")),
)  # fmt: skip

PCM = (
    *(
        _by_ffmpeg(f"wav-{codec}", "wav", f"-c:a {codec}")
        for codec in (
            *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
            *("adpcm_ms", "adpcm_ima_wav", "adpcm_yamaha", "libmp3lame", "mp2", "ac3", "wmav2"),
        )
    ),
    _by_ffmpeg("wav-g722", "wav", "-c:a g722", 16_000, 1),
    _by_ffmpeg("wav-extensible-5.1", "wav", "-c:a pcm_s24le", 48_000, 6),
    _by_ffmpeg("wav-16000", "wav", "-c:a pcm_s16le", 16_000, 1),
    _by_ffmpeg("wav-192000", "wav", "-c:a pcm_s24le", 192_000),
    _by_ffmpeg("rf64", "wav", "-c:a pcm_s16le -rf64 always"),
    _by_ffmpeg("rf64-float", "wav", "-c:a pcm_f32le -rf64 always"),
    _by_ffmpeg("w64", "w64", "-c:a pcm_s16le"),
    _by_ffmpeg("w64-float", "w64", "-c:a pcm_f32le"),
    *(_by_ffmpeg(f"aiff-{codec}", "aiff", f"-c:a {codec}") for codec in ("pcm_s16be", "pcm_s24be", "pcm_f32be", "pcm_s16le")),
    _by_ffmpeg("aiff-ima4", "aiff", "-c:a adpcm_ima_qt", departure=_IMA4),
    *(_by_ffmpeg(f"au-{codec}", "au", f"-c:a {codec}") for codec in ("pcm_s16be", "pcm_f32be", "pcm_mulaw")),
    *(
        _by_ffmpeg(f"caf-{codec}", "caf", f"-c:a {codec}")
        for codec in ("pcm_s16be", "pcm_s24le", "pcm_f64be", "alac", "flac", "libmp3lame")
    ),
    _by_ffmpeg("voc-of-many-blocks", "voc", "-c:a pcm_s16le"),
    *(
        _by_libsndfile(f"{kind}-by-libsndfile-{subtype}".lower(), kind.lower(), kind, subtype)
        for kind, subtype in (
            *(("WAV", "IMA_ADPCM"), ("W64", "IMA_ADPCM"), ("AIFF", "PCM_U8"), ("AIFF", "ALAW")),
            *(("WAVEX", "PCM_24"), ("RF64", "PCM_24"), ("IRCAM", "PCM_16"), ("NIST", "PCM_16"), ("VOC", "PCM_16")),
        )
    ),
    _by_libsndfile("caf-by-libsndfile-alac", "caf", "CAF", "ALAC_16", departure=_ALAC_IN_CAF),
    *(
        _by_libsndfile(f"{kind}-by-libsndfile-ms-adpcm".lower(), kind.lower(), kind, "MS_ADPCM", departure=_FLOORING)
        for kind in ("WAV", "W64")
    ),
    *(_by_libsndfile(f"{kind}-gsm610".lower(), kind.lower(), kind, "GSM610", 8_000, 1) for kind in ("WAV", "W64", "AIFF")),
)  # fmt: skip

AAC_AND_OTHERS = (
    _by_ffmpeg("aac-adts", "aac", "-c:a aac -b:a 128k"),
    _by_ffmpeg("aac-adts-mono", "aac", "-c:a aac -b:a 48k", 22_050, 1),
    _by_ffmpeg("aac-latm", "loas", "-c:a aac -f latm"),
    _by_ffmpeg("aac-m4a", "m4a", "-c:a aac -b:a 128k", departure=_in_mp4(44_100, 1024, 1024)),
    _by_ffmpeg("aac-m4a-16000", "m4a", "-c:a aac -b:a 32k", 16_000, 1, departure=_in_mp4(16_000, 1024, 1024)),
    _by_ffmpeg("aac-m4a-5.1", "m4a", "-c:a aac -b:a 320k", 48_000, 6, departure=_in_mp4(48_000, 1024, 1024)),
    _by_ffmpeg("aac-m4a-no-edit-list", "m4a", "-c:a aac -use_editlist 0", departure=_in_mp4(44_100, 1024, 1024)),
    _by_ffmpeg("aac-m4a-fragments", "m4a", "-c:a aac -movflags +frag_keyframe+empty_moov"),
    _by_ffmpeg("aac-mov", "mov", "-c:a aac", departure=_in_mp4(44_100, 1024, 1024)),
    _by_ffmpeg("ac3-in-mp4", "mp4", "-c:a ac3", departure=_in_mp4(44_100, 256, 1536)),
    _by_ffmpeg("mp3-in-mp4", "mp4", "-c:a libmp3lame", departure=_in_mp4(44_100, 1105, 1152)),
    *(
        _by_ffmpeg(
            f"{codec.removeprefix('lib')}-in-{ending}", ending, f"-c:a {codec}", 48_000 if "opus" in codec else 44_100
        )
        for codec, ending in (
            *(("aac", "mkv"), ("aac", "ts"), ("aac", "flv"), ("libmp3lame", "mka"), ("libmp3lame", "flv")),
            *(
                ("libmp3lame", "avi"),
                ("libopus", "webm"),
                ("libopus", "mka"),
                ("libvorbis", "webm"),
                ("libvorbis", "mka"),
            ),
            *(("pcm_s16le", "mov"), ("pcm_s16le", "avi"), ("alac", "m4a"), ("mp2", "mpg")),
        )
    ),
    _by_ffmpeg("alac-24", "m4a", "-c:a alac -sample_fmt s32p", 96_000),
    _by_ffmpeg("wma-1", "wma", "-c:a wmav1"),
    _by_ffmpeg("wma-2", "wma", "-c:a wmav2"),
    _by_ffmpeg("wma-2-mono", "wma", "-c:a wmav2 -b:a 48k", 22_050, 1),
    _by_ffmpeg("ac3", "ac3", "-c:a ac3", 48_000),
    _by_ffmpeg("ac3-5.1", "ac3", "-c:a ac3 -b:a 384k", 48_000, 6),
    _by_ffmpeg("eac3", "eac3", "-c:a eac3", 48_000),
    _by_ffmpeg("dts", "dts", "-c:a dca -strict -2", 48_000),
    _by_ffmpeg("truehd", "thd", "-c:a truehd -strict -2", 48_000),
    _by_ffmpeg("wavpack", "wv", "-c:a wavpack"),
    _by_ffmpeg("wavpack-float", "wv", "-c:a wavpack -sample_fmt fltp"),
    _by_ffmpeg("tta", "tta", "-c:a tta"),
    _by_ffmpeg("amr", "amr", "-c:a libopencore_amrnb -b:a 12.2k", 8_000, 1),
)

ENCODINGS = (*MP3, *XIPH, *PCM, *AAC_AND_OTHERS)
