"""Turn published annotation files as downloaded into a catalog, annotations and a label set."""
