"""Label sets and splits: small tables that lie over the feature shards.

`label_set` reads and checks the file of a label set, and `annotations` the annotation files; `overlay` lays both over a
dataset as a version of the label set; `splits` assigns tracks to training, validation and test.
"""
