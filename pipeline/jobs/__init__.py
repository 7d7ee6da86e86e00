"""What every Beam job shares: plan, shards of work, runner, payload files."""
