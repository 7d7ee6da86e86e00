"""Stage 2: from feature shards and a label set to a tagger that takes raw audio. Imports no Beam."""
