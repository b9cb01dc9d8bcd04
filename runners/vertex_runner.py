"""The pipeline for `tfx … --engine vertex`; the variable SEGPIPE_CONFIG names the TOML file of the run."""

import os

from segpipe import config
from segpipe.pipeline import dataflow, graph, vertex_job
from segpipe.pipeline.vertex import VertexTarget
from segpipe.pipeline.vertex_staging import stage

if __name__ == "__main__":
    run = stage(config.load(os.environ.get("SEGPIPE_CONFIG", "configs/vertex.toml"))).config
    on_dataflow = dataflow.enabled(run.dataflow, os.environ)
    vertex_job.runner(run).run(graph.build(run, VertexTarget(run, on_dataflow)))
