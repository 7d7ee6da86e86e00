"""Take tracks out of a dataset: at once for every reader, and from the disk on request."""
