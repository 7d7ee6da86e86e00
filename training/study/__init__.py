"""Compare front-ends over the size of the training set: does the gap between them shrink with more data?"""
