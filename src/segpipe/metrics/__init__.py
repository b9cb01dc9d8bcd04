"""Segmentation metrics: each counted exactly and computed in one place."""
