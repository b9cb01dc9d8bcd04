"""The only folder that knows TFX: the graph, its hooks and where it runs."""

import gc

from segpipe.pipeline.components.sql_slices_stub import install

# TFX is a million objects: at Python's own 700, a quarter of its import is a search for garbage.
gc.set_threshold(10_000)

# Before any TFX import, and in every Beam worker that unpickles a function of this folder.
install()
