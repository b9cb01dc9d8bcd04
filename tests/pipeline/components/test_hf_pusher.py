"""HFPusher in a pipeline of its own, run by TFX's local runner against a Hub on loopback."""

import json
import logging
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths
from ml_metadata.metadata_store import MetadataStore
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.pipeline.components import node
from segpipe.pipeline.components.hf_pusher import HFPusher, hf_pusher
from segpipe.publish.settings import PublishSettings, check_settings
from tests.publish.conftest import loopback, saved_model  # noqa: F401 (fixtures)
from tests.publish.plans import TOKEN
from tests.servers.hub import Fault, LoopbackHub

ROOT = Path(__file__).parents[3]


@pytest.fixture
def model_uri(saved_model: Path, tmp_path: Path) -> str:  # noqa: F811
    """The model as a Trainer leaves it."""
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "Format-Serving").symlink_to(saved_model)
    return str(tmp_path / "trained")


class Run:
    """A pipeline of an imported model, an imported blessing and HFPusher."""

    def __init__(self, folder: Path, model_uri: str, blessed: int | None = 1, **arguments: object) -> None:
        self.folder = folder
        self.connection = metadata.sqlite_metadata_connection_config(str(folder / "metadata.db"))
        self.model_uri, self.blessed = model_uri, blessed
        self.arguments = {"username": "me", "repo_name": "pets", "space_config": {}, **arguments}

    def pipeline(self) -> Pipeline:
        model = Importer(source_uri=self.model_uri, artifact_type=standard_artifacts.Model).with_id("Model")
        nodes = [model]
        blessing = None
        if self.blessed is not None:
            (self.folder / "blessing").mkdir(exist_ok=True)
            importer = Importer(
                source_uri=str(self.folder / "blessing"),
                artifact_type=standard_artifacts.ModelBlessing,
                custom_properties={"blessed": self.blessed},
            ).with_id("Blessing")
            nodes.append(importer)
            blessing = importer.outputs["result"]
        pusher = HFPusher(model=model.outputs["result"], model_blessing=blessing, **self.arguments)
        return Pipeline(
            pipeline_name="publish",
            pipeline_root=str(self.folder / "pipeline"),
            components=[*nodes, pusher],
            metadata_connection_config=self.connection,
            enable_cache=True,
        )

    def run(self) -> None:
        LocalDagRunner().run(self.pipeline())

    def store(self) -> MetadataStore:
        return MetadataStore(self.connection)

    def pushed(self) -> dict[str, object]:
        """The properties of the last PushedModel artifact."""
        artifact = self.store().get_artifacts_by_type("PushedModel")[-1]
        properties = artifact.custom_properties.items()
        return {k: v.string_value or v.int_value for k, v in properties if k not in ("tfx_version", "name")}


def test_publishes_and_says_so_on_the_artifact(tmp_path, model_uri: str, loopback: LoopbackHub):  # noqa: F811
    run = Run(tmp_path, model_uri, endpoint=loopback.endpoint, card={"license": "mit", "dataset_name": "Shapes"})
    run.run()
    repo = loopback.repo("me/pets")
    [blessing] = run.store().get_artifacts_by_type("ModelBlessing")
    version = f"v{blessing.create_time_since_epoch // 1000}"
    pushed = run.pushed()
    assert {key: pushed[key] for key in pushed if key not in ("state", "producer_component", "is_external")} == {
        "pushed": 1,
        "pushed_version": version,
        "repo_id": "me/pets",
        "branch": version,
        "commit_id": repo.branches[version],
        "repo_url": f"{loopback.endpoint}/me/pets/tree/{version}",
        "space_url": f"{loopback.endpoint}/spaces/me/pets",
    }
    card = loopback.store.content(repo.find("main").tree["README.md"]).decode()
    assert "license: mit" in card
    assert "ground, disk, square" in card


def test_the_token_is_nowhere(tmp_path, model_uri: str, loopback: LoopbackHub, caplog):  # noqa: F811
    run = Run(tmp_path, model_uri, endpoint=loopback.endpoint)
    with caplog.at_level(logging.DEBUG):
        run.run()
    kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="x"),
        output_filename=str(tmp_path / "job.json"),
    ).run(Run(tmp_path, "gs://bucket/model", endpoint=loopback.endpoint).pipeline())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"metadata.db", "job.json"} <= {path.name for path in written}
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in caplog.text
    pushed_files = [
        blob for repo in loopback.store.repos.values() for c in repo.commits.values() for blob in c.tree.values()
    ]
    assert not any(TOKEN.encode() in loopback.store.content(blob) for blob in pushed_files)


def test_no_image_takes_the_token_along(tmp_path: Path):
    """Docker's own client says what a build of this folder would send."""
    for path in ("src/segpipe/app.py", ".env", "runs/demo/logs/run.log", ".git/config", "configs/pets.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("" if path.startswith("src") else TOKEN)
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [tmp_path / path for path in exclude_paths(str(tmp_path), patterns)]
    assert tmp_path / "src/segpipe/app.py" in sent
    assert [path for path in sent if path.is_file() and TOKEN in path.read_text()] == []


def test_a_retry_gives_the_same_version(tmp_path, model_uri: str, loopback: LoopbackHub):  # noqa: F811
    run = Run(tmp_path, model_uri, endpoint=loopback.endpoint)
    loopback.faults = lambda n, method, path: Fault(403) if path.endswith("/commit/main") else None
    with pytest.raises(Exception, match="may not write"):
        run.run()
    loopback.faults = lambda n, method, path: None
    run.run()
    assert set(loopback.repo("me/pets").branches) == {"main", run.pushed()["branch"]}


def test_the_same_model_again_asks_the_hub_nothing(tmp_path, model_uri: str, loopback: LoopbackHub):  # noqa: F811
    run = Run(tmp_path, model_uri, endpoint=loopback.endpoint)
    run.run()
    asked = len(loopback.requests)
    run.run()
    assert len(loopback.requests) == asked


def test_a_model_that_is_not_blessed_stays_home(tmp_path, model_uri: str, loopback: LoopbackHub):  # noqa: F811
    run = Run(tmp_path, model_uri, blessed=0, endpoint=loopback.endpoint)
    run.run()
    assert run.pushed()["pushed"] == 0
    assert loopback.requests == []


def test_without_a_blessing_it_always_publishes_here_to_a_folder(tmp_path, model_uri: str):
    run = Run(tmp_path, model_uri, blessed=None, directory=str(tmp_path / "hub"), space_config={"repo_name": "show"})
    run.run()
    assert (tmp_path / "hub/models/me/pets/main/saved_model.pb").is_file()
    assert (tmp_path / "hub/spaces/me/show/main/app.py").is_file()
    assert run.pushed()["pushed_version"] == (tmp_path / "hub/models/me/pets/main").readlink().name


def test_an_edited_app_is_published_again(tmp_path: Path, model_uri: str, monkeypatch: pytest.MonkeyPatch):
    """The app is named as the published component names it."""
    monkeypatch.chdir(tmp_path)
    app = tmp_path / "apps" / "mine" / "app.py"
    app.parent.mkdir(parents=True)
    published = []
    for text in ("# first of $MODEL_REPO_ID", "# second of $MODEL_REPO_ID"):
        app.write_text(text)
        space, card = {"app_path": "apps.mine", "repo_name": "show"}, {"license": "mit"}
        run = Run(tmp_path, model_uri, blessed=None, directory=str(tmp_path / "hub"), space_config=space, card=card)
        run.run()
        published.append((tmp_path / "hub/spaces/me/show/main/app.py").read_text())
    assert published == ["# first of me/pets", "# second of me/pets"]
    assert "license: mit" in (tmp_path / "hub/spaces/me/show/main/README.md").read_text()
    assert len(list((tmp_path / "hub/models/me/pets").glob("v*"))) == 1


def test_an_app_that_is_not_on_this_machine_is_fetched(tmp_path: Path, model_uri: str):
    """TensorFlow's own file system in memory stands for Cloud Storage's."""
    fileio.makedirs("ram://app")
    with fileio.open("ram://app/app.py", "w") as file:
        file.write("# $MODEL_REPO_ID")
    space = {"app_path": "ram://app"}
    Run(tmp_path, model_uri, blessed=None, directory=str(tmp_path / "hub"), space_config=space).run()
    assert (tmp_path / "hub/spaces/me/pets/main/app.py").read_text() == "# me/pets"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"token": TOKEN}, "a token is given by name"),
        ({"space_config": {"sdk": "gradio"}}, "space_config can have app_path, repo_name"),
        ({"space_config": {"space_sdk": "static"}}, "space_sdk must be one of gradio, streamlit, got 'static'"),
        ({"space_config": {"placeholders": {"REPO": "$R"}}}, "placeholders can be MODEL_REPO_ID"),
        ({"space_config": {"app_path": "apps.gone"}}, r"a folder with app\.py; apps/gone has none"),
        ({"space_config": {"repo_name": "a show"}}, "named user/name in letters, .* got 'me/a show'"),
        ({"repo_name": "pets--"}, "named user/name in letters, .* got 'me/pets--'"),
        ({"card": {"licence": "mit"}}, "card can have classes, .* got licence"),
        ({"pictures": -1}, "pictures: .*greater than or equal to 0"),
        ({"pictures": 2}, "needs the ExampleGen's output examples"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(tmp_path: Path, arguments: dict, sentence: str):
    with pytest.raises(ConfigError, match=sentence) as caught:
        Run(tmp_path, "model", blessed=None, **arguments).pipeline()
    assert TOKEN not in str(caught.value)
    assert str(caught.value).startswith("HFPusher: ")


def test_names_may_come_when_the_run_is_started(tmp_path: Path):
    name = RuntimeParameter(name="repository", ptype=str)
    run = Run(tmp_path, "gs://bucket/model", repo_name=name)
    kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="x"),
        output_filename=str(tmp_path / "job.json"),
    ).run(run.pipeline())
    root = json.loads((tmp_path / "job.json").read_text())["pipelineSpec"]["root"]
    assert root["inputDefinitions"]["parameters"]["repository"] == {"type": "STRING"}
    given = root["dag"]["tasks"]["HFPusher"]["inputs"]["parameters"]
    assert given["repo_name"] == {"componentInputParameter": "repository"}
    assert '"me"' in json.dumps(given["username"]["runtimeValue"])


@pytest.mark.parametrize("wrong", ["pets--", ""])
def test_a_wrong_name_of_a_run_is_refused_before_anything_is_sent(wrong: str):
    settings = check_settings(username="me", repo_name="later")
    with pytest.raises(ConfigError, match="named user/name in letters"):
        node.from_execution(PublishSettings, {**node.to_execution(settings), "repo_name": wrong})


def test_the_configs_hub_section_makes_the_component():
    def properties(**hub: object) -> dict:
        config = Config(name="pets", data={"classes": ("a", "b")}, hub=hub)
        model = Importer(source_uri="m", artifact_type=standard_artifacts.Model).outputs["result"]
        node = hf_pusher(config, model)
        return {} if node is None else node.exec_properties

    assert properties(kind="none") == {}
    assert properties()["directory"].endswith("/runs/pets/hub")
    pushed = properties(kind="huggingface", username="me", private=True, license="mit", space_repo_name="show")
    assert (pushed["username"], pushed["repo_name"], pushed["directory"], pushed["private"]) == ("me", "pets", "", 1)
    assert json.loads(pushed["space_config"])["repo_name"] == "show"
    assert json.loads(pushed["card"])["license"] == "mit"
    assert "space_config" not in properties(space_sdk="none")


def test_exports_need_the_trainers_weights(tmp_path, model_uri: str):
    config = Config(name="pets", data={"classes": ("a", "b")}, hub={"exports": ("keras",)})
    run = Run(tmp_path, model_uri, blessed=None, directory=str(tmp_path / "hub"), export_config=config)
    with pytest.raises(Exception, match="needs the Trainer's output model_run"):
        run.run()
    assert not (tmp_path / "hub").exists()
