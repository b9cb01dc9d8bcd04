"""Predicts the masks of picture files, few or many, here or on Beam."""
