"""The parts that all Beam jobs share: plan, runner, the files that workers write, and the modules that a worker imports.

A worker imports `transforms`, which is the job graph, and the module that writes its shards: `pipeline.decode.shards`,
`pipeline.derive.shards` or `pipeline.export_records.shards`. `runner` starts the job; `plan` assigns tracks to shards.
"""
