"""Stage 1, from a catalog of audio files to feature shards and label sets, and stage 3, tagging a catalog."""
