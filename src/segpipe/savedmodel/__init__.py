"""Writes, finds, loads and questions the SavedModels that segpipe exports."""
