"""The pipeline as an Airflow 2 DAG; the variable SEGPIPE_CONFIG names the TOML file of the run.

Airflow lives in an environment of its own: `runners/airflow_test.sh` makes one and runs this DAG in it.
"""

import datetime
import os

from segpipe import config, tensorflow_settings

tensorflow_settings.apply()  # TFX imports TensorFlow.

from tfx.dsl.components.base.base_driver import BaseDriver  # noqa: E402
from tfx.orchestration.airflow.airflow_dag_runner import AirflowDagRunner, AirflowPipelineConfig  # noqa: E402

from segpipe.pipeline import graph  # noqa: E402
from segpipe.pipeline.targets import LocalTarget  # noqa: E402


class HubDriver(BaseDriver):
    """Names the HFPusher's output after the component too.

    The driver that TFX uses under Airflow names an output by key and run alone, and ML Metadata takes each name once
    for a type; both pushers have an output `pushed_model`.
    """

    def _prepare_output_artifacts(self, *arguments, **named):
        outputs = super()._prepare_output_artifacts(*arguments, **named)
        for artifact in (artifact for artifacts in outputs.values() for artifact in artifacts):
            artifact.name = f"HFPusher:{artifact.name}"
        return outputs


run = config.load(os.environ.get("SEGPIPE_CONFIG", "configs/demo.toml"))
pipeline = graph.build(run, LocalTarget(run.output_path))
for node in pipeline.components:
    if node.id == "HFPusher":
        node.driver_class = HubDriver
DAG = AirflowDagRunner(
    AirflowPipelineConfig({"schedule_interval": None, "start_date": datetime.datetime(2026, 1, 1), "catchup": False})
).run(pipeline)
