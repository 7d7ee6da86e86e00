"""The forms in which other programs load a tagger beside the SavedModel: ONNX, LiteRT and Keras files."""
