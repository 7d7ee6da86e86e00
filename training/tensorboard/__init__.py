"""RUN/tensorboard: the files that TensorBoard shows for a run."""
