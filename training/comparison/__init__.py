"""Comparing two runs on the same tracks."""
