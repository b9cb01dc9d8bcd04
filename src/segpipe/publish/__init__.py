"""Publishes a blessed model: a model repository with a card, and a Space that demonstrates it."""
