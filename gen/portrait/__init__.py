"""A talking portrait: one photo, one voice, an emotion over time."""
