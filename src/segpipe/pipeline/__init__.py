"""The only folder that knows TFX: the graph, its hooks and where it runs."""

from segpipe.pipeline.sql_slices_stub import install

# Before any TFX import, and in every Beam worker that unpickles a function of this folder.
install()
