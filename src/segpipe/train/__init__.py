"""Fits a model to data sets."""

from segpipe.train.fit import Trained, fit

__all__ = ["Trained", "fit"]
