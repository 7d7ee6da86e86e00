"""The build: from a catalog to feature shards, one generation of the dataset at a time.

The command calls `build`. `catalog` reads the catalog, `planning` divides its tracks among shards, `shards` writes one
shard on a Beam worker, `generations` closes the finished generation, and `reject_rate` stops a build that rejects too much.
`pipeline.audio` decodes single files and handles broken ones.
"""
