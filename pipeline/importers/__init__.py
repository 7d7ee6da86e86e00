"""Published annotation files as they are downloaded -> a catalog, annotations and a label set."""
