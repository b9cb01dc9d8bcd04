"""Compiles, submits and deploys on Google Cloud."""
