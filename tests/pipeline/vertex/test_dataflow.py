"""The Dataflow job that ExampleGen would start, as dataflow.googleapis.com on loopback gets it; data on gs://."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from google.cloud import dataflow_v1beta3

from segpipe import config as config_module
from segpipe.config import Config
from segpipe.config.vertex import Dataflow, Vertex
from segpipe.ingest import sources
from segpipe.ingest.part_file import store
from segpipe.pipeline.components.example_gen import PARTS, write_examples
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from segpipe.pipeline.vertex.dataflow import beam_arguments
from tests import pictures
from tests.servers.google_cloud import LoopbackGoogle

IMAGE = f"us-central1-docker.pkg.dev/my-project/segpipe/pipeline@sha256:{'0' * 64}"
ACCOUNT = "worker@my-project.iam.gserviceaccount.com"
DATAFLOW = Dataflow(enabled=True, machine_type="n2-standard-4", disk_gb=33, max_workers=7, public_ips=False)
VERTEX = Vertex(project="my-project", pipeline_root="gs://dataflow/runs", image=IMAGE, service_account=ACCOUNT)
ARGUMENTS = beam_arguments(DATAFLOW, VERTEX, "pets")

START = """
import json, sys
from segpipe import config
from tests.pipeline.vertex.test_dataflow import build
build(config.from_json(sys.argv[1]), json.loads(sys.argv[2]), "gs://dataflow/examples").run()
"""


def build(config: Config, arguments: list[str], folder: str) -> beam.Pipeline:
    """ExampleGen's Beam pipeline; nothing runs yet."""
    pipeline = beam.Pipeline(options=PipelineOptions(arguments))
    folders = {split: f"{folder}/Split-{split}" for split in ("train", "eval", "test")}
    write_examples(pipeline, store(sources.parts(config), f"{folder}/{PARTS}"), config, folders, folder)
    return pipeline


@dataclass(frozen=True)
class Captured:
    """What came to Google.

    Attributes:
      job: that Google was asked to create.
      graph: Beam's own form of the pipeline, from the staged file that the job names.
      size: of that file in bytes.
      staged: names of all staged objects.
    """

    job: dataflow_v1beta3.Job
    graph: beam_runner_api_pb2.Pipeline
    size: int
    staged: list[str]

    @property
    def names(self) -> set[str]:
        """Of the transforms."""
        return {transform.unique_name for transform in self.graph.components.transforms.values()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return pictures.config(pictures.write_folder(tmp_path_factory.mktemp("pictures"), 40))


@pytest.fixture(scope="module")
def captured(google_servers: LoopbackGoogle, local: Config) -> Captured:
    storage = google_servers.storage
    storage.make_bucket("dataflow")
    storage.put_folder("dataflow", "data", local.resolve(local.source.path))
    google_servers.forget()
    settings = config_module.to_json(pictures.config("gs://dataflow/data"))
    done = subprocess.run(
        [sys.executable, "-c", START, settings, json.dumps(ARGUMENTS)],
        env={**os.environ, **google_servers.environment()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    [job] = google_servers.dataflow.jobs.values()
    staged = [name for name in storage.names("dataflow") if name.startswith("runs/")]
    [proto] = [storage.get("dataflow", name) for name in staged if name.endswith("pipeline.pb")]
    return Captured(job, beam_runner_api_pb2.Pipeline.FromString(proto), len(proto), staged)


def test_the_job_asks_for_the_workers_of_the_config(captured: Captured) -> None:
    environment = captured.job.environment
    [pool] = environment.worker_pools
    assert (pool.machine_type, pool.disk_size_gb) == ("n2-standard-4", 33)
    assert pool.autoscaling_settings.max_num_workers == 7
    assert pool.ip_configuration.name == "WORKER_IP_PRIVATE"
    assert environment.service_account_email == ACCOUNT
    assert environment.temp_storage_prefix.startswith("storage.googleapis.com/dataflow/runs/pets/dataflow/temp")
    assert "use_runner_v2" in environment.experiments
    assert captured.job.labels["segpipe-run"] == "pets"


def test_the_workers_run_the_image_and_install_nothing(captured: Captured) -> None:
    [pool] = captured.job.environment.worker_pools
    assert {container.container_image for container in pool.sdk_harness_container_images} == {IMAGE}
    containers = [e for e in captured.graph.components.environments.values() if e.urn == "beam:env:docker:v1"]
    assert {beam_runner_api_pb2.DockerPayload.FromString(e.payload).container_image for e in containers} == {IMAGE}
    assert not [name for name in captured.staged if name.endswith((".whl", ".tar.gz", "requirements.txt"))]
    assert all(name.startswith("runs/pets/dataflow/") for name in captured.staged)


def test_the_pictures_are_dealt_out_to_the_workers_before_they_are_read(captured: Captured) -> None:
    """Dataflow fuses steps; without the shuffle between them, one worker would read everything."""
    assert any("Reshuffle" in name for name in captured.names)
    assert not any("shuffle" in name.lower() for name in captured.names if name.startswith("WriteParts"))


def test_the_graph_is_the_one_that_runs_here(captured: Captured, local: Config, tmp_path: Path) -> None:
    here = build(local, list(IN_PROCESS_BEAM), str(tmp_path)).to_runner_api().components.transforms.values()
    steps = {transform.unique_name.split("/")[0] for transform in here}
    assert {name.split("/")[0] for name in captured.names} == steps  # Within a step, Dataflow has forms of its own.


def test_the_job_is_as_small_for_any_number_of_pictures(captured: Captured, google_servers: LoopbackGoogle) -> None:
    """It says where the parts of the source are written down; 10 MB is what Dataflow takes."""
    assert captured.size < 100_000
    kept = google_servers.storage.get("dataflow", f"examples/{PARTS}")
    assert b"data/images/p00.jpg" in kept
    assert b"p00.jpg" not in captured.graph.SerializeToString()
