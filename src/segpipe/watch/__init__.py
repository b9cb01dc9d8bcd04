"""Judges answered requests: does the world look as it did in training, and is the model still right?"""
