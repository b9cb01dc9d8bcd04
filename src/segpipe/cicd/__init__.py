"""Compares the models of two revisions of this repository, and reports the verdict to a forge."""
