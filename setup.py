"""For Dataflow's --setup_file, which runs setup.py; everything is declared in pyproject.toml."""

from setuptools import setup

setup()
