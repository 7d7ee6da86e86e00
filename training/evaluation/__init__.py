"""A run held against a split: scores of tracks, metrics, files, plots and printed words."""
