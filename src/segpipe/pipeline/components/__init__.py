"""The TFX components of the graph."""
