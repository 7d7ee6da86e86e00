"""The log-mel spectrogram of `schemas/features.py` in a TensorFlow graph; `pipeline/audio/logmel.py` computes it in numpy."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from schemas.features import LogMelSpec
from schemas.filterbank import hann_window, mel_filterbank


def graph_logmel(waveform: Any, spec: LogMelSpec) -> Any:
    """Log-mel spectrograms of whole signals.

    Args:
        waveform: float32 [batch, samples], full scale at 1.
        spec: window, hop length, bands.

    Returns:
        float32 [batch, 1 + samples // hop_length, mels], log10(1 + gain * power).
    """
    half = spec.n_fft // 2
    padded = tf.pad(waveform, [[0, 0], [half, half]])
    frames = tf.signal.frame(padded, spec.n_fft, spec.hop_length)
    spectrum = tf.signal.rfft(frames * tf.constant(hann_window(spec.n_fft)))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    mels = tf.matmul(power, tf.constant(mel_filterbank(spec.sample_rate, spec.n_fft, spec.mels)))
    return tf.math.log(1.0 + spec.gain * mels) / tf.math.log(10.0)
