"""Stage 3: scores and embeddings of a catalog, from its audio or from a dataset's stored features."""
