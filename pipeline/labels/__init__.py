"""Label sets and splits, laid over feature shards as small tables."""
