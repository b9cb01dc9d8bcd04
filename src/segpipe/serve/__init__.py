"""Fitted model in, something that answers requests out."""
