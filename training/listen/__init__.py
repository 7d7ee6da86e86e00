"""A page on loopback on which a person hears what a model hears."""
