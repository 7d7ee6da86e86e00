"""The SavedModel that takes raw audio: written, read back and used to tag files."""
