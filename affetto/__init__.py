"""Affetto hears, sees and reads emotion, and gives it back. Importing this loads no model."""

__version__ = "0.1.0"
