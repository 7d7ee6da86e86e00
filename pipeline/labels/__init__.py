"""Label sets and splits: small tables that are laid over the feature shards.

`label_set` reads and checks the file of a label set, `annotations` the annotation files; `overlay` lays both over a dataset as
a version of the label set; `splits` assigns tracks to training, validation and test.
"""
