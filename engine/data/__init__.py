"""Data sets: reading them, splitting them, and turning them into a model's inputs, one file each."""
