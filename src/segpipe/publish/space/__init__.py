"""Builds the Space that runs the demo app, from a template and a published model revision."""
