"""Estimate the time and cost of a build from a sample of its catalog."""
