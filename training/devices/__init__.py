"""Where a training computes: strategies, clusters, TensorFlow's import, memory that ran out."""
