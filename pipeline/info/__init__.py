"""What a dataset holds, and whether its labels are healthy."""
