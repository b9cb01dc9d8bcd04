"""The pipeline for `tfx … --engine local`; the variable SEGPIPE_CONFIG names the TOML file of the run."""

import os

from segpipe import config, tensorflow_settings

tensorflow_settings.apply()  # TFX imports TensorFlow.

from tfx.orchestration.local.local_dag_runner import LocalDagRunner  # noqa: E402

from segpipe.pipeline import graph  # noqa: E402
from segpipe.pipeline.targets import LocalTarget  # noqa: E402

if __name__ == "__main__":
    run = config.load(os.environ.get("SEGPIPE_CONFIG", "configs/demo.toml"))
    run.output_path.mkdir(parents=True, exist_ok=True)
    LocalDagRunner().run(graph.build(run, LocalTarget(run.output_path)))
