"""The one graph compiled for Vertex AI, held against golden files, the format's proto and what must not be in it."""

import copy
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from segpipe import config as config_module
from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.model import weights
from segpipe.pipeline.vertex.dataflow import enabled
from segpipe.pipeline.vertex.job import compile_job, compile_kubeflow
from segpipe.pipeline.vertex.staging import stage

CONFIG = Path(__file__).parents[3] / "configs" / "vertex.toml"
GOLDEN = Path(__file__).parent / "golden"
VARIANTS = {
    "cpu": ["vertex.training.accelerator_type=''"],
    "gpu": [],
    "four-replicas-on-spot": ["vertex.training.replicas=4", "vertex.training.spot=true"],
}
BEAM_STEPS = {"ExampleGen", "StatisticsGen", "Transform", "Evaluator"}


def config(*overrides: str) -> Config:
    return config_module.load(CONFIG, overrides)


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    return compile_job(config(), on_dataflow=False)


def steps(job: dict[str, Any]) -> dict[str, Any]:
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"]
    return {
        name.removesuffix("_executor"): body["container"] for name, body in executors.items() if "container" in body
    }


def parameters(job: dict[str, Any], task: str) -> dict[str, Any]:
    inputs = job["pipelineSpec"]["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
    return {name: value["runtimeValue"].get("constant") for name, value in inputs.items()}


def without_digests(value: Any) -> Any:
    """The job less what every edit of the code or of the config's keys changes."""
    if isinstance(value, dict):
        return {key: without_digests(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [without_digests(entry) for entry in value]
    if isinstance(value, str):
        value = re.sub(r'("config"|\\"config\\"): "(\\.|[^"\\])*"', r"\1: CONFIG", value)
        return "CONFIG" if value.startswith('{"data"') else re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", value)
    return value


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("on_dataflow", [False, True], ids=["in-process", "dataflow"])
def test_the_compiled_job_is_the_one_that_was_agreed_on(variant: str, on_dataflow: bool) -> None:
    compiled = without_digests(compile_job(config(*VARIANTS[variant]), on_dataflow))
    golden = GOLDEN / f"vertex-{variant}{'-dataflow' if on_dataflow else ''}.json"
    if os.environ.get("SEGPIPE_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(json.dumps(compiled, indent=1, sort_keys=True) + "\n")
    assert compiled == json.loads(golden.read_text()), "SEGPIPE_UPDATE_GOLDEN=1 writes the new job; review its diff."


def test_the_job_is_one_of_the_pipeline_spec_proto(job: dict[str, Any]) -> None:
    parsed = json_format.ParseDict(job, pipeline_spec_pb2.PipelineJob())
    spec = json_format.ParseDict(job["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    deployment = json_format.ParseDict(
        job["pipelineSpec"]["deploymentSpec"], pipeline_spec_pb2.PipelineDeploymentConfig()
    )
    assert parsed.runtime_config.gcs_output_directory == "gs://my-project-segpipe/runs/land-and-water/pipeline"
    for task in spec.root.dag.tasks.values():
        component = spec.components[task.component_ref.name]
        assert component.executor_label in deployment.executors
        assert set(component.input_definitions.artifacts) == set(task.inputs.artifacts)
        assert {task.inputs.artifacts[i].task_output_artifact.producer_task for i in task.inputs.artifacts} <= set(
            spec.root.dag.tasks
        )


def test_every_step_runs_the_image_named_by_digest(job: dict[str, Any]) -> None:
    assert {step["image"] for step in steps(job).values()} == {config().vertex.image}
    assert "@sha256:" in config().vertex.image


def test_switching_dataflow_changes_beam_arguments_and_nothing_else(job: dict[str, Any]) -> None:
    one, other = copy.deepcopy(job), compile_job(config(), on_dataflow=True)
    before, after = steps(one), steps(other)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == BEAM_STEPS
    for name in BEAM_STEPS:
        assert "--runner=DataflowRunner" in after[name]["args"]
        fixed = [a for a in before[name]["args"] if not a.startswith(("--runner", "--sdk_container_image"))]
        before[name]["args"] = after[name]["args"] = fixed
    assert one == other


def test_dataflow_workers_are_those_of_the_config() -> None:
    settings = config(
        "dataflow.machine_type=n2-highmem-8", "dataflow.disk_gb=77", "dataflow.max_workers=3",
        "dataflow.subnetwork=regions/r/subnetworks/s", "dataflow.public_ips=false",
    )  # fmt: skip
    arguments = steps(compile_job(settings, on_dataflow=True))["Transform"]["args"]
    assert {
        "--worker_machine_type=n2-highmem-8", "--disk_size_gb=77", "--max_num_workers=3", "--no_use_public_ips",
        "--subnetwork=regions/r/subnetworks/s", "--project=my-project", "--region=us-central1",
        f"--sdk_container_image={settings.vertex.image}",
        "--temp_location=gs://my-project-segpipe/runs/land-and-water/dataflow/temp",
        "--service_account_email=segpipe-pipeline@my-project.iam.gserviceaccount.com",
    } <= set(arguments)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "in_config", "expected"),
    [("", True, True), ("", False, False), ("true", False, True), ("FALSE", True, False), ("1", False, True)],
)
def test_the_environment_switches_dataflow_as_published(said: str, in_config: bool, expected: bool) -> None:
    assert enabled(config(f"dataflow.enabled={str(in_config).lower()}").dataflow, {"ENABLE_DATAFLOW": said}) is expected


def test_a_switch_that_is_neither_true_nor_false_is_an_error() -> None:
    with pytest.raises(ConfigError, match="ENABLE_DATAFLOW must be true or false, got 'maybe'"):
        enabled(config().dataflow, {"ENABLE_DATAFLOW": "maybe"})


def test_the_trainer_asks_for_the_machines_of_the_config() -> None:
    compiled = compile_job(config("vertex.training.replicas=4", "vertex.training.spot=true"), on_dataflow=False)
    told = json.loads(parameters(compiled, "Trainer")["custom_config"])
    job_spec = told["ai_platform_training_args"]["job_spec"]
    machine = {"machine_type": "n1-standard-8", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    assert [pool["replica_count"] for pool in job_spec["worker_pool_specs"]] == [1, 3]
    assert all(pool["machine_spec"] == machine for pool in job_spec["worker_pool_specs"])
    assert all("pipeline-gpu@" in pool["container_spec"]["image_uri"] for pool in job_spec["worker_pool_specs"])
    assert job_spec["scheduling"] == {"timeout": {"seconds": 86400}, "strategy": "SPOT"}


def test_no_secret_is_in_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    value = "hf_" + "Q" * 34
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, value)
    settings = config(
        "hub.kind=huggingface", "hub.username=me", "hub.token=secret:projects/my-project/secrets/hf-write"
    )
    text = json.dumps(compile_job(settings, on_dataflow=True))
    assert value not in text
    assert not re.search(r"hf_[A-Za-z]{20}|AIza[0-9A-Za-z_-]{30}|-----BEGIN|ya29\.|gh[pousr]_[A-Za-z0-9]{30}", text)


def test_the_job_is_the_same_from_every_folder(tmp_path: Path, job: dict[str, Any]) -> None:
    for name in ("vertex.toml", "demo.schema.pbtxt"):
        (tmp_path / name).write_bytes((CONFIG.parent / name).read_bytes())
    assert compile_job(config_module.load(tmp_path / "vertex.toml"), on_dataflow=False) == job
    assert str(tmp_path) not in json.dumps(job)


def test_an_edited_schema_is_another_upload(tmp_path: Path) -> None:
    for name in ("vertex.toml", "demo.schema.pbtxt"):
        (tmp_path / name).write_bytes((CONFIG.parent / name).read_bytes())
    [(_, before)] = stage(config_module.load(tmp_path / "vertex.toml")).uploads
    (tmp_path / "demo.schema.pbtxt").write_text("# edited\n" + (tmp_path / "demo.schema.pbtxt").read_text())
    [(_, after)] = stage(config_module.load(tmp_path / "vertex.toml")).uploads
    assert before != after
    assert after.startswith("gs://my-project-segpipe/runs/land-and-water/staged/")


@pytest.mark.parametrize("checksum", ["", f"#sha256={hashlib.sha256(b'weights').hexdigest()}"])
def test_a_weights_file_goes_along_with_the_checksum_that_the_trainer_asks_for(tmp_path: Path, checksum: str) -> None:
    for name in ("vertex.toml", "demo.schema.pbtxt"):
        (tmp_path / name).write_bytes((CONFIG.parent / name).read_bytes())
    (tmp_path / "mine.weights.h5").write_bytes(b"weights")
    staged = stage(config_module.load(tmp_path / "vertex.toml", [f"model.weights=mine.weights.h5{checksum}"]))
    [address] = [address for path, address in staged.uploads if path == tmp_path / "mine.weights.h5"]
    assert staged.config.model.weights == f"{address}#sha256={hashlib.sha256(b'weights').hexdigest()}"
    weights.check(staged.config.model.weights, Path("/nonexistent"))


@pytest.mark.parametrize("known", ["imagenet", "none", "preset:mit_b0_ade20k_512", "gs://b/w.h5#sha256=00"])
def test_weights_that_are_found_from_everywhere_stay_as_they_are(known: str) -> None:
    staged = stage(config(f"model.weights={known}"))
    assert staged.config.model.weights == known
    assert [address for path, address in staged.uploads if path.suffix != ".pbtxt"] == []


def test_an_app_of_ones_own_goes_along(tmp_path: Path) -> None:
    for name in ("vertex.toml", "demo.schema.pbtxt"):
        (tmp_path / name).write_bytes((CONFIG.parent / name).read_bytes())
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app.py").write_text("print('$MODEL_REPO_ID')")
    hub = ["hub.kind=huggingface", "hub.username=me", "hub.token=secret:projects/p/secrets/hf", "hub.space_app=app"]
    settings = config_module.load(tmp_path / "vertex.toml", hub)
    [(local, address)] = [pair for pair in stage(settings).uploads if pair[0].name == "app.py"]
    assert local == tmp_path / "app" / "app.py"
    assert address.startswith("gs://my-project-segpipe/runs/land-and-water/staged/")
    space = json.loads(parameters(compile_job(settings, on_dataflow=False), "HFPusher")["space_config"])
    assert space["app_path"] == address.removesuffix("/app.py")
    (tmp_path / "app" / "app.py").unlink()
    with pytest.raises(ConfigError, match=r"a folder with app\.py"):
        stage(settings)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("vertex.project=''", "vertex.project must be set"),
        ("vertex.gpu_image=''", "vertex.gpu_image must be set"),
        ("vertex.image=us-docker.pkg.dev/p/r/i:latest", "named by digest"),
        ("vertex.training.machine_type=e2-standard-4", "NVIDIA_TESLA_T4 runs on n1-… machines, got e2-standard-4"),
        ("vertex.endpoint.max_replicas=0", "greater than 0"),
        ("vertex.endpoint.accelerator_type=NVIDIA_TESLA_T4", "image = 'us-docker.pkg.dev/.*/tf2-gpu"),
        ("source.path=/home/me/pets", "source.path must be on Cloud Storage"),
        ("name=my_pets", "without underscores"),
        ("train.tracker=trackio", r"for `segpipe run`.*TensorBoard draws gs://.*/checkpoints"),
        ("data.schema_file=gone.pbtxt", "no such file"),
        ("model.weights=gone.weights.h5", "no such file"),
        ("model.weights=gs://b/w.h5", "a URL needs its checksum"),
    ],
)
def test_a_run_that_cannot_leave_this_machine_says_why(override: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        stage(config(override))


def test_a_token_in_an_environment_variable_does_not_travel() -> None:
    with pytest.raises(ConfigError, match="secret:projects/my-project/secrets/NAME"):
        stage(config("hub.kind=huggingface", "hub.username=me", "hub.token=env:HF_TOKEN"))


def test_the_same_graph_compiles_for_kubeflow(job: dict[str, Any]) -> None:
    spec = yaml.safe_load(compile_kubeflow(config(), on_dataflow=False))
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    assert spec == job["pipelineSpec"]


def test_kubeflow_own_client_reads_the_yaml(tmp_path: Path) -> None:
    from kfp import components

    loaded = components.load_component_from_text(compile_kubeflow(config(), on_dataflow=False))
    assert loaded.pipeline_spec.pipeline_info.name == "land-and-water"
    assert "Trainer" in loaded.pipeline_spec.root.dag.tasks
