"""The SavedModel that takes raw audio: how it is written, read back and used to tag files."""
