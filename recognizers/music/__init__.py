"""Notes in, emotion out."""
