"""Read the tables and YAML files that users write, so that an error can name the file and the row.

The content of a label set or a configuration is checked where it is used: `pipeline.labels.label_set`, `training.config_sources`.
"""
