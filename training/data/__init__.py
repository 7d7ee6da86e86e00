"""What a training reads: labels, records of the shards, patches cut out of them, batches."""
