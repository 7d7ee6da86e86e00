"""What lies in a run's folder: configuration, checkpoints, metrics log; and a trained run opened again."""
