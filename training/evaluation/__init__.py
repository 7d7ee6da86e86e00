"""Evaluate a run on a split: scores of tracks, metrics, files, plots and printed lines."""
