"""RUN/tensorboard: what TensorBoard shows of a run."""
