"""Files that users write or open in other programs: tables, label sets, configurations."""
