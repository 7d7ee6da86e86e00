"""Baselines that a network should beat: models of simple statistics of each track's log-mel spectrogram."""
