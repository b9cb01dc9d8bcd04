"""Turns a stored picture into model input."""
