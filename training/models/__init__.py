"""The two taggers of Pons et al. (ISMIR 2018, arXiv:1711.02520) and their two successors, as Keras 3 models for any backend.

``config`` imports no Keras, so that a command line can check its options before it pays for the import of a
backend; ``tagger`` builds the models. Importing the package itself imports neither.
"""
