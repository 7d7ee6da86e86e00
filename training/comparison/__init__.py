"""Two runs held against the same tracks."""
