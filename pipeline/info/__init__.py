"""Report the contents of a dataset and the health of its labels."""
