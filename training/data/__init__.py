"""What training reads: labels, the records of tracks, the patches that are cut from them, and batches."""
