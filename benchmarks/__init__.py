"""What is measured, each a command that prints a table and writes JSON into benchmarks/results/."""
