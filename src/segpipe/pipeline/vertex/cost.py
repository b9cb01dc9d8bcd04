"""Estimates what a run and its endpoint cost, from a table of list prices with a date."""

from dataclasses import dataclass

from segpipe.config import Config
from segpipe.config.vertex import Machine
from segpipe.errors import ConfigError

PRICES_AS_OF = "2025-06"
"""List prices in USD, us-central1, from cloud.google.com/vertex-ai/pricing and cloud.google.com/dataflow/pricing."""

_PER_HOUR = {
    "e2-standard-4": 0.154, "e2-standard-8": 0.308, "n1-standard-2": 0.109, "n1-standard-4": 0.219,
    "n1-standard-8": 0.437, "n1-standard-16": 0.874, "n1-highmem-8": 0.544, "g2-standard-4": 0.813,
    "g2-standard-8": 0.982, "g2-standard-12": 1.150, "a2-highgpu-1g": 4.225, "a2-ultragpu-1g": 5.776,
    "a3-highgpu-8g": 101.007,
}  # fmt: skip

_ACCELERATOR_PER_HOUR = {
    "": 0.0, "NVIDIA_TESLA_T4": 0.403, "NVIDIA_TESLA_P4": 0.690, "NVIDIA_TESLA_P100": 1.679,
    "NVIDIA_TESLA_V100": 2.852,
    # These come with their machine, whose price holds them.
    "NVIDIA_L4": 0.0, "NVIDIA_TESLA_A100": 0.0, "NVIDIA_A100_80GB": 0.0, "NVIDIA_H100_80GB": 0.0,
}  # fmt: skip

_STEPS_PER_RUN = 8
_STEP_HOURS = 4 / 60
"""Start and work of one step's own machine, an e2-standard-4; Vertex AI Pipelines adds its fee per run."""

_PIPELINE_FEE = 0.03
_DATAFLOW_STEPS, _DATAFLOW_HOURS = 4, 8 / 60
_HOURS_PER_MONTH = 730


@dataclass(frozen=True)
class Cost:
    """In USD.

    Attributes:
      steps: of one run.
      dataflow: likewise; 0 where the Beam steps run in their own containers.
      training_hour: of one hour of training, all replicas, at the price of machines that Google does not take back.
      endpoint_month: of the endpoint with its least number of machines, for as long as it is up.
    """

    steps: float
    dataflow: float
    training_hour: float
    endpoint_month: float


def estimate(config: Config, on_dataflow: bool) -> Cost:
    """What `config` would cost, as far as its machines say.

    Raises:
      ConfigError: a machine type is not in the table.
    """
    vertex = config.vertex
    workers = config.dataflow.max_workers
    return Cost(
        steps=_PIPELINE_FEE + _STEPS_PER_RUN * _STEP_HOURS * _PER_HOUR["e2-standard-4"],
        dataflow=on_dataflow * _DATAFLOW_STEPS * _DATAFLOW_HOURS * workers * _machine(config.dataflow.machine_type),
        training_hour=vertex.training.replicas * _hour(vertex.training),
        endpoint_month=vertex.endpoint.min_replicas * _HOURS_PER_MONTH * _hour(vertex.endpoint),
    )


def sentence(config: Config, on_dataflow: bool) -> str:
    """The estimate for a person, or why there is none."""
    try:
        cost = estimate(config, on_dataflow)
    except ConfigError as error:
        return f"Cost: {error}"
    beam = (
        f" + ${cost.dataflow:.2f} for Dataflow, if {config.dataflow.max_workers} workers take "
        f"{_DATAFLOW_HOURS * 60:.0f} minutes a step"
        if on_dataflow
        else ""
    )
    less = " (less on spot machines)" if config.vertex.training.spot else ""
    return (
        f"Cost, by list prices of {PRICES_AS_OF}: about ${cost.steps:.2f} for the steps{beam} + "
        f"${cost.training_hour:.2f} per hour of training{less}; a deployed model ${cost.endpoint_month:.0f} a month."
    )


def _hour(machine: Machine) -> float:
    return _machine(machine.machine_type) + machine.accelerator_count * _ACCELERATOR_PER_HOUR[machine.accelerator_type]


def _machine(machine_type: str) -> float:
    if machine_type not in _PER_HOUR:
        raise ConfigError(f"no price is known for {machine_type}; the table has {', '.join(sorted(_PER_HOUR))}.")
    return _PER_HOUR[machine_type]
