"""The formats that FFmpeg may open, by demuxer name, and which of their headers give a stream's length."""

from __future__ import annotations

# Audio, and video with audio. Excluded are formats that name other files or hosts (hls, dash, concat, sdp, rtsp, imf,
# vobsub, …), formats that accept any bytes as samples by extension (gsm, sln, s16le, …), and formats without music.
READ = (
    *("aac", "ac3", "ac4", "aiff", "amr", "amrnb", "amrwb", "ape", "apac", "asf", "asf_o", "au", "avi", "bonk", "caf"),
    *("dsf", "dts", "dtshd", "dv", "dxa", "eac3", "ea", "flac", "flv", "gxf", "iamf", "iff", "ilbc", "ircam"),
    *("laf", "lc3", "live_flv", "loas", "matroska", "mlp", "mmf", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf"),
    *("nistsphere", "nsv", "nut", "ogg", "oma", "osq", "paf", "pvf", "qcp", "qoa", "rka", "rm", "rso", "sbc", "sds"),
    *("shn", "smjpeg", "sox", "spdif", "s337m", "svag", "swf", "tak", "truehd", "tta", "voc", "vqf", "w64"),
    *("wav", "wavarc", "webm", "wsaud", "wtv", "wv", "wve", "xa", "xmv", "xwma"),
)
# Their headers give the length of each stream …
CLAIMS_OF_STREAMS = frozenset(
    {"ape", "dsf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc", "mpc8", "osq", "shn", "tak", "tta", "wv"}
)
# … and these give one for the whole file, which is that of the audio if there is no other stream. For all others (aac, ac3,
# mp2, mp3, mpegts, …) FFmpeg guesses a length from size and bit rate.
CLAIMS_OF_ONE_STREAM = frozenset({"asf", "matroska,webm"})
