"""The two taggers of Pons et al. (arXiv:1711.02520), their two successors and the short-chunk CNN of Won et al., in Keras 3.

``config`` imports no Keras, so that a command line can check its options before it pays for the import of a
backend; ``tagger`` builds the models. Importing the package itself imports neither.
"""
