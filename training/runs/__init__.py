"""The folder of a run: its configuration, checkpoints and metrics log, and how to reopen a trained run.

`checkpoints` writes and reads the checkpoints, and `run_folder` knows where each file of a run is.
"""
