"""Nearest tracks by embedding: an index over the tags of a catalog, filters, exact and approximate searches."""
