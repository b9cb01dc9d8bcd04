"""The pipeline for `tfx … --engine local`; the variable SEGPIPE_CONFIG names the TOML file of the run."""

import os

from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from segpipe import config
from segpipe.pipeline import graph
from segpipe.pipeline.targets import LocalTarget

if __name__ == "__main__":
    run = config.load(os.environ.get("SEGPIPE_CONFIG", "configs/demo.toml"))
    run.output_path.mkdir(parents=True, exist_ok=True)
    LocalDagRunner().run(graph.build(run, LocalTarget(run.output_path)))
