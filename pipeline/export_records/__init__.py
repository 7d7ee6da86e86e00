"""Self-contained TFRecords of a label version, for readers that know nothing about this project."""
