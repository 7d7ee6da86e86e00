"""Remove tracks from a dataset: at once for every reader, and from the disk on request."""
