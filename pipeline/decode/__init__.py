"""The build: from a catalog to feature shards, one generation of the dataset at a time.

`build` is what the command calls. `catalog` reads the catalog, `planning` divides its tracks among shards, `shards` writes one
shard on a Beam worker, `generations` closes what the workers wrote, and `reject_rate` stops a build that rejects too much.
How a single file is decoded, and what happens to a broken one, is in `pipeline.audio`.
"""
