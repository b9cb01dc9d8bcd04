"""The pipeline as an Airflow 2 DAG; the variable SEGPIPE_CONFIG names the TOML file of the run.

Airflow lives in an environment of its own: `runners/airflow_test.sh` makes one and runs this DAG in it.
"""

import datetime
import os

from tfx.orchestration.airflow.airflow_dag_runner import AirflowDagRunner, AirflowPipelineConfig

from segpipe import config
from segpipe.pipeline import graph
from segpipe.pipeline.targets import LocalTarget

run = config.load(os.environ.get("SEGPIPE_CONFIG", "configs/demo.toml"))
DAG = AirflowDagRunner(
    AirflowPipelineConfig({"schedule_interval": None, "start_date": datetime.datetime(2026, 1, 1), "catchup": False})
).run(graph.build(run, LocalTarget(run.output_path)))
