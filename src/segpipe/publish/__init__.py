"""A blessed model in; a model repository with a card, and a Space that demonstrates it, out."""
