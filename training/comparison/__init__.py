"""Compare two runs on the same tracks."""
