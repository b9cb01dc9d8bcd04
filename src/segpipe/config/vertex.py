"""The sections [vertex] and [dataflow]: what the steps run on in Google Cloud."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from segpipe.config.section import Section

Accelerator = Literal[
    "", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_L4",
    "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB",
]  # fmt: skip


_MACHINES_OF_ACCELERATOR: dict[str, str] = {
    # https://cloud.google.com/vertex-ai/docs/training/configure-compute; the others need n1.
    "": "",
    "NVIDIA_L4": "g2-",
    "NVIDIA_TESLA_A100": "a2-highgpu-",
    "NVIDIA_A100_80GB": "a2-ultragpu-",
    "NVIDIA_H100_80GB": "a3-",
}


def _by_digest(image: str) -> str:
    if image and not re.fullmatch(r"[^\s@]+@sha256:[0-9a-f]{64}", image):
        raise ValueError(
            f"an image is named by digest, as in …/pipeline@sha256:…, got {image}; a tag can move under a run. "
            "`make push-image` prints it."
        )
    return image


class Dataflow(Section):
    """Where the Beam steps run: inside their own container, or on Dataflow workers.

    Attributes:
      enabled: also switched by the environment variable ENABLE_DATAFLOW (true or false), which wins.
      machine_type: of a worker.
      disk_gb: of a worker.
      max_workers: Dataflow adds workers up to this number.
      subnetwork: regions/R/subnetworks/S, or the full URL; the project's default network when left out.
      public_ips: give workers external addresses; without, the subnetwork needs Private Google Access.
    """

    enabled: bool = False
    machine_type: str = "n1-standard-4"
    disk_gb: Annotated[int, Field(ge=25)] = 50
    max_workers: Annotated[int, Field(gt=0)] = 8
    subnetwork: str = ""
    public_ips: bool = True


class Machine(Section):
    """One kind of machine on Vertex AI, with or without an accelerator."""

    machine_type: str = "n1-standard-4"
    accelerator_type: Accelerator = ""
    accelerator_count: Annotated[int, Field(gt=0)] = 1

    @model_validator(mode="after")
    def _accelerator_fits_machine(self) -> Self:
        family = _MACHINES_OF_ACCELERATOR.get(self.accelerator_type, "n1-")
        if not self.machine_type.startswith(family):
            raise ValueError(
                f"accelerator_type {self.accelerator_type} runs on {family}… machines, got {self.machine_type}."
            )
        return self


class Training(Machine):
    """The machines of the Trainer.

    Attributes:
      replicas: machines; more than one train together (MultiWorkerMirroredStrategy).
      timeout_hours: the job is stopped after this long.
      spot: cheaper machines that Google may take back; training goes on from the last epoch's checkpoint.
    """

    machine_type: str = "n1-standard-8"
    replicas: Annotated[int, Field(gt=0)] = 1
    timeout_hours: Annotated[float, Field(gt=0)] = 24.0
    spot: bool = False


class Endpoint(Machine):
    """Where a blessed model answers requests, and how a new one takes over from the old.

    Attributes:
      name: of the endpoint and of the model in the registry; the run's name when left out.
      image: of the server; the default is Google's own for TensorFlow SavedModels.
      min_replicas, max_replicas: machines per deployed model.
      canary_percent: share of the requests that a new model gets while it is watched.
      health_requests: answers that the new model has to give, each checked, before it takes over.
      promote: "auto" lets the Pusher finish the change; "manual" leaves canary and old model side by side, both
        billed, until `segpipe endpoint promote` or `rollback`.
      grace_minutes: how long the old model stays deployed, without requests, after the change.
      keep_versions: versions that stay in the Model Registry.
    """

    name: str = ""
    image: str = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    min_replicas: Annotated[int, Field(gt=0)] = 1
    max_replicas: Annotated[int, Field(gt=0)] = 1
    canary_percent: Annotated[int, Field(ge=1, le=49)] = 10
    health_requests: Annotated[int, Field(gt=0)] = 10
    promote: Literal["auto", "manual"] = "auto"
    grace_minutes: Annotated[float, Field(ge=0)] = 10.0
    keep_versions: Annotated[int, Field(ge=2)] = 5

    @model_validator(mode="after")
    def _replicas_are_a_range(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas must be at least min_replicas = {self.min_replicas}, got {self.max_replicas}."
            )
        return self

    @model_validator(mode="after")
    def _image_uses_the_accelerator(self) -> Self:
        if self.accelerator_type and "/tf2-cpu." in self.image:
            raise ValueError(
                f"vertex.endpoint.image serves on the CPU alone, and accelerator_type is {self.accelerator_type}; set "
                f"image = {self.image.replace('/tf2-cpu.', '/tf2-gpu.')!r}."
            )
        return self


class Vertex(Section):
    """Google Cloud: whose project, and what each step runs on.

    Attributes:
      pipeline_root: gs://BUCKET/FOLDER under which every step writes.
      image: of the pipeline's steps, by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME@sha256:….
      gpu_image: of the Trainer when it has an accelerator, likewise.
      service_account: that the steps run as; the project's default one when left out.
    """

    project: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]{4,28}[a-z0-9])?$")] = ""
    region: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$")] = "us-central1"
    pipeline_root: Annotated[str, Field(pattern=r"^(gs://[a-z0-9][a-z0-9._-]+(/[^?#\s]*)?)?$")] = ""
    image: Annotated[str, AfterValidator(_by_digest)] = ""
    gpu_image: Annotated[str, AfterValidator(_by_digest)] = ""
    service_account: Annotated[str, Field(pattern=r"^(\S+@\S+)?$")] = ""
    training: Training = Training()
    endpoint: Endpoint = Endpoint()
