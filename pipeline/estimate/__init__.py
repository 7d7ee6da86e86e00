"""What a build will take and cost, estimated from a sample of its catalog."""
