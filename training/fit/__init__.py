"""The training itself: input, model, step and loop, from the first weights to the last checkpoint."""
