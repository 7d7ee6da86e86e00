"""Both front-ends against the size of the training set: does the gap between them shrink with data?"""
