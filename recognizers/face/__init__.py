"""Faces: finding them, reading them, following them through a clip."""
