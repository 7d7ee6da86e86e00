"""What a build will cost, from a sample of its catalog."""
