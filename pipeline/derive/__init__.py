"""Derive further log-mel families from the stored waveforms, without the audio."""
