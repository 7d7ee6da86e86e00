"""Turn one audio file into one waveform and its log-mel spectrogram, in a separate process.

`fetch` copies a file to the local disk and `isolation` passes it to `decoding_process`. There `recognition` reads its headers,
`tracks` chooses the engine that decodes it and handles broken files, `waveform` makes the stored samples and `logmel` their
spectrogram. A file that cannot be decoded raises `TrackRejected` with one of the `causes`.

A notebook needs `load_waveform` and `log_mel`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.audio.causes import TrackRejected
    from pipeline.audio.loading import load_waveform, log_mel
else:
    from schemas.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "TrackRejected": "pipeline.audio.causes.TrackRejected",
            "load_waveform": "pipeline.audio.loading.load_waveform",
            "log_mel": "pipeline.audio.loading.log_mel",
        },
    )

__all__ = ["TrackRejected", "load_waveform", "log_mel"]
