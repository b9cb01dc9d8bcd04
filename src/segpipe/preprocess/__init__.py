"""Stored picture in, model input out."""
