"""The user interface: commands, errors, progress, pages."""
