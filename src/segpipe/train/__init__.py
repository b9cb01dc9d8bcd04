"""Data sets in, fitted model out."""

from segpipe.train.fit import Trained, fit

__all__ = ["Trained", "fit"]
