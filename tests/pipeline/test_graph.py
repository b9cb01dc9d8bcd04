"""The one graph: what it is made of, in which order, and what makes each step run again."""

import json
from pathlib import Path

import pytest

from segpipe import config as config_module
from segpipe.pipeline import graph
from segpipe.pipeline.targets import LocalTarget

CONFIG = Path(__file__).parents[2] / "configs" / "demo.toml"


def nodes(folder, *overrides):
    settings = config_module.load(CONFIG, overrides)
    return {node.id: node for node in graph.build(settings, LocalTarget(folder)).components}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return nodes(tmp_path_factory.mktemp("run"))


def upstream(node):
    found, waiting = set(), list(node.upstream_nodes)
    while waiting:
        one = waiting.pop()
        found.add(one.id)
        waiting += one.upstream_nodes
    return found


def test_it_is_the_graph_of_the_design(built):
    assert set(built) == {
        "ExampleGen", "StatisticsGen", "ImportSchemaGen", "ExampleValidator", "Transform", "Trainer",
        "latest_blessed_model_resolver", "Evaluator", "Pusher", "HFPusher",
    }  # fmt: skip


def test_nothing_is_trained_on_data_that_the_schema_refuses(built):
    assert "ExampleValidator" in upstream(built["Trainer"])


def test_nothing_is_pushed_that_the_gate_has_not_seen_and_the_hub_comes_last(built):
    assert "Evaluator" in upstream(built["Pusher"])
    assert "Pusher" in upstream(built["HFPusher"])


def test_pictures_are_not_stored_a_second_time_decoded(built):
    assert "transformed_examples" not in built["Transform"].outputs


def test_the_epoch_is_chosen_on_eval_and_the_model_judged_on_test(built):
    trained = built["Trainer"].exec_properties
    assert json.loads(trained["train_args"])["splits"] == ["train"]
    assert json.loads(trained["eval_args"])["splits"] == ["eval"]
    assert json.loads(built["Evaluator"].exec_properties["example_splits"]) == ["test"]


@pytest.mark.parametrize(
    "node", ["ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "HFPusher"]
)
def test_every_step_with_code_of_segpipe_carries_a_digest_of_it(built, node):
    assert '"code_digest": "' in json.dumps(built[node].exec_properties).replace("\\", "")


@pytest.mark.parametrize(
    ("override", "changed"),
    [
        ("gate.min_mean_iou=0.9", {"Evaluator"}),
        ("train.epochs=3", {"Trainer"}),
        ("split.seed=7", {"ExampleGen"}),
        ("data.image_size=64", {"Transform", "Trainer", "Evaluator"}),
    ],
)
def test_a_config_key_changes_the_arguments_of_the_steps_that_depend_on_it(built, override, changed, tmp_path):
    after = nodes(tmp_path, override)
    for name in ("ExampleGen", "StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator"):
        before, now = (json.dumps(node[name].exec_properties, default=str) for node in (built, after))
        before, now = before.replace(str(CONFIG.parent), ""), now.replace(str(CONFIG.parent), "")
        assert (before.replace(_run_dir(built), "") != now.replace(_run_dir(after), "")) == (name in changed), name


def _run_dir(found) -> str:
    """The run's folder, which the Trainer's arguments hold."""
    custom = json.loads(found["Trainer"].exec_properties["custom_config"])
    return str(Path(custom["work_dir"]).parent)


def test_an_edited_schema_is_imported_again_and_a_copy_of_it_is_not(tmp_path, built):
    schema = config_module.load(CONFIG).directory / "demo.schema.pbtxt"
    digests = {"as it was": built["ImportSchemaGen"].exec_properties["schema_digest"]}
    for name, text in (("copied", schema.read_text()), ("edited", "# An edit.\n" + schema.read_text())):
        (tmp_path / "schema.pbtxt").write_text(text)
        importer = nodes(tmp_path, f"data.schema_file={tmp_path}/schema.pbtxt")["ImportSchemaGen"]
        digests[name] = importer.exec_properties["schema_digest"]
    assert digests["copied"] == digests["as it was"] != digests["edited"]
