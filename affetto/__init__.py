"""Affetto hears, sees and reads emotion, and gives it back. Importing this loads no model, no torch, no user interface."""

__version__ = "0.1.0"
