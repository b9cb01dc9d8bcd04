"""Reads and writes files, on disk and behind URLs, whole or not at all."""
