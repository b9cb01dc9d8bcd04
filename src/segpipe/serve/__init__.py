"""Serves fitted models: answers requests over HTTP."""
