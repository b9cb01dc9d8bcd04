"""Data sets in, fitted model out."""
