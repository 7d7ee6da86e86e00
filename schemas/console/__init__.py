"""What a person at a terminal meets: commands, errors, progress, pages."""
