"""The folder of a run: its configuration, its checkpoints, its metrics log; and opening a trained run again.

`checkpoints` writes and reads the checkpoints, `run_folder` knows where each file of a run is.
"""
