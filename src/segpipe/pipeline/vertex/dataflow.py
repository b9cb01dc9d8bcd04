"""Derives Beam's arguments from [dataflow] and [vertex]; switching Dataflow on changes nothing else."""

from collections.abc import Mapping

from segpipe.config.vertex import Dataflow, Vertex
from segpipe.errors import ConfigError

SWITCH = "ENABLE_DATAFLOW"
"""Environment variable with which the published pipeline, and its CI, switch Dataflow."""

_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def enabled(dataflow: Dataflow, environment: Mapping[str, str]) -> bool:
    """Whether the Beam steps go to Dataflow: the environment decides where it speaks, the config otherwise.

    Raises:
      ConfigError: the variable is neither true nor false.
    """
    said = environment.get(SWITCH, "").strip().lower()
    if not said:
        return dataflow.enabled
    if said not in _WORDS:
        raise ConfigError(f"{SWITCH} must be true or false, got {said!r}.")
    return _WORDS[said]


def beam_arguments(dataflow: Dataflow, vertex: Vertex, name: str) -> list[str]:
    """Arguments of Beam's DataflowRunner.

    https://cloud.google.com/dataflow/docs/reference/pipeline-options. The workers run the pipeline's own image, so
    that they hold the same code and install nothing.

    Args:
      dataflow: the workers.
      vertex: project, region, image, service account and bucket.
      name: of the run, for labels and folders.
    """
    folder = f"{vertex.pipeline_root.rstrip('/')}/{name}/dataflow"
    arguments = [
        "--runner=DataflowRunner",
        f"--project={vertex.project}",
        f"--region={vertex.region}",
        f"--temp_location={folder}/temp",
        f"--staging_location={folder}/staging",
        f"--worker_machine_type={dataflow.machine_type}",
        f"--disk_size_gb={dataflow.disk_gb}",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        f"--max_num_workers={dataflow.max_workers}",
        "--experiments=use_runner_v2",
        f"--sdk_container_image={vertex.image}",
        "--sdk_location=container",
        f"--labels=segpipe-run={name}",
    ]
    if vertex.service_account:
        arguments.append(f"--service_account_email={vertex.service_account}")
    if dataflow.subnetwork:
        arguments.append(f"--subnetwork={dataflow.subnetwork}")
    if not dataflow.public_ips:
        arguments.append("--no_use_public_ips")
    return arguments
