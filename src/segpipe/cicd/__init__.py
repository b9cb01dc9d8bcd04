"""Two revisions of this repository in, a verdict on their models out; and what a forge is told about it."""
