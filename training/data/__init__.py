"""The data that training reads: labels, the records of tracks, the patches cut from them, and batches."""
