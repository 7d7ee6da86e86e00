"""The training itself: input pipeline, model, step, loop and validation. Checkpoints are in `training.runs`."""
