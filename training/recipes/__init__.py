"""Recipes: the fields of a configuration that belong together, measured together, as YAML files in this folder."""
