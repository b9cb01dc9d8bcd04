"""The pipeline for `tfx … --engine vertex`; the variable SEGPIPE_CONFIG names the TOML file of the run."""

import os

from segpipe import config
from segpipe.pipeline import graph
from segpipe.pipeline.vertex import dataflow, job
from segpipe.pipeline.vertex.staging import stage
from segpipe.pipeline.vertex.target import VertexTarget

if __name__ == "__main__":
    run = stage(config.load(os.environ.get("SEGPIPE_CONFIG", "configs/vertex.toml"))).config
    on_dataflow = dataflow.enabled(run.dataflow, os.environ)
    job.runner(run).run(graph.build(run, VertexTarget(run, on_dataflow)))
