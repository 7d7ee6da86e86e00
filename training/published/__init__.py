"""Import published weights: read the files of a package, lay them into the networks, write a run and a SavedModel."""
