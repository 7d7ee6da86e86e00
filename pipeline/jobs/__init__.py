"""What all Beam jobs share: their plan, their runner, the files that workers write, and what a Beam worker imports.

A worker imports `transforms`, which is the job graph, and with it the room that its shards belong to: `pipeline.decode.shards`,
`pipeline.derive.shards` or `pipeline.export_records.shards`. `runner` starts the job, `plan` says which tracks a shard has.
"""
