"""From a folder of images and masks to a gated, deployed segmentation model: one pipeline, laptop to Vertex AI."""

__version__ = "0.1.0"
