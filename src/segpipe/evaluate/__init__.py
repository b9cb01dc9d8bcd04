"""Judges a model on Examples, and reports its metrics and the verdict."""
