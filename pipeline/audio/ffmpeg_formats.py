"""The formats that FFmpeg may open, by the names of its demuxers, and what their headers say of a stream's length."""

from __future__ import annotations

# Sound, and videos with sound. Left out is what names other files or hosts (hls, dash, concat, sdp, rtsp, imf, vobsub, …),
# what takes any bytes for samples by a file's ending (gsm, sln, s16le, …), and what holds no music.
READ = (
    *("aac", "ac3", "ac4", "aiff", "amr", "amrnb", "amrwb", "ape", "apac", "asf", "asf_o", "au", "avi", "bonk", "caf"),
    *("dsf", "dts", "dtshd", "dv", "dxa", "eac3", "ea", "flac", "flv", "gxf", "iamf", "iff", "ilbc", "ircam"),
    *("laf", "lc3", "live_flv", "loas", "matroska", "mlp", "mmf", "mov", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "mxf"),
    *("nistsphere", "nsv", "nut", "ogg", "oma", "osq", "paf", "pvf", "qcp", "qoa", "rka", "rm", "rso", "sbc", "sds"),
    *("shn", "smjpeg", "sox", "spdif", "s337m", "svag", "swf", "tak", "truehd", "tta", "voc", "vqf", "w64"),
    *("wav", "wavarc", "webm", "wsaud", "wtv", "wv", "wve", "xa", "xmv", "xwma"),
)
# Their headers name the length of each stream …
CLAIMS_OF_STREAMS = frozenset(
    {"ape", "dsf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "mpc", "mpc8", "osq", "shn", "tak", "tta", "wv"}
)
# … and these one for the whole file, which is the audio's where there is nothing else. Of all others (aac, ac3, mp2, mp3,
# mpegts, …) FFmpeg guesses a length by size and bit rate.
CLAIMS_OF_ONE_STREAM = frozenset({"asf", "matroska,webm"})
