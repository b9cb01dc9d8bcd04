"""A digest sees every edit that can change a component's result, and no other."""

import shutil
from pathlib import Path

import pytest

import segpipe
from segpipe import config
from segpipe.pipeline import digest

MODULE_OF = {
    "ExampleGen": "segpipe.pipeline.components.example_gen",
    "StatisticsGen": "segpipe.pipeline.components.statistics_gen",
    "ExampleValidator": "segpipe.pipeline.components.example_validator",
    "Transform": "segpipe.pipeline.preprocessing",
    "Tuner": "segpipe.pipeline.tuning",
    "Trainer": "segpipe.pipeline.training",
    "Evaluator": "segpipe.pipeline.components.evaluator",
    "HFPusher": "segpipe.pipeline.components.hf_executor",
}
"""Where each component's code starts."""


@pytest.fixture
def package(tmp_path):
    """A small package with the forms of import that there are."""
    root = tmp_path / "pkgdigest"
    (root / "kinds").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "hook.py").write_text("from pkgdigest.net import build\nfrom pkgdigest import kinds\n")
    (root / "net.py").write_text("import os\nfrom pkgdigest import layers\n\n\ndef build(): return layers\n")
    (root / "layers.py").write_text("WIDTH = 1\n")
    (root / "other.py").write_text("WIDTH = 1\n")
    (root / "kinds" / "__init__.py").write_text("def load(kind): return import_module(f'{__name__}.{kind}')\n")
    (root / "kinds" / "csv.py").write_text("DELIMITER = 1\n")
    return root


def _digest(package: Path) -> str:
    return digest.code_digest(f"{package.name}.hook", package.parent)


@pytest.mark.parametrize("edited", ["layers.py", "kinds/csv.py"])
def test_an_edit_of_code_that_is_imported_indirectly_or_by_name_changes_the_digest(package, edited):
    before = _digest(package)
    assert _digest(package) == before
    (package / edited).write_text("WIDTH = 2\n")
    assert _digest(package) != before


def test_an_edit_of_code_that_is_not_imported_leaves_the_digest(package):
    before = _digest(package)
    (package / "other.py").write_text("WIDTH = 2\n")
    assert _digest(package) == before


def test_comments_docstrings_and_layout_leave_the_digest(package):
    before = _digest(package)
    (package / "layers.py").write_text('"""Layers."""\n\nWIDTH = (  # of a layer\n    1\n)\n"""In pixels."""\n')
    (package / "net.py").write_text(
        'import os\nfrom pkgdigest import layers\ndef build():\n  """Builds."""\n  return layers'
    )
    assert _digest(package) == before


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of the whole source."""
    root = tmp_path_factory.mktemp("tree")
    shutil.copytree(Path(segpipe.__file__).parent, root / "segpipe")
    return root


def _changed_by(tree: Path, edited: str, code: str) -> set[str]:
    """The components whose digest another line of code in one module changes."""
    path = tree / "segpipe" / edited
    source = path.read_text()
    before = {name: digest.code_digest(module, tree) for name, module in MODULE_OF.items()}
    path.write_text(source + code)
    try:
        return {name for name, module in MODULE_OF.items() if digest.code_digest(module, tree) != before[name]}
    finally:
        path.write_text(source)


@pytest.mark.parametrize(
    "edited",
    [
        "config/watch.py", "config/hub.py", "config/vertex.py", "config/drill.py", "config/run.py", "cli/console.py",
        "evaluate/charts.py", "evaluate/report_page.py", "train/tracking.py", "train/tensorboard.py", "progress.py",
        "watch/drift.py", "serve/server.py", "pipeline/vertex/endpoint.py",
    ],
)  # fmt: skip
def test_what_changes_no_result_runs_nothing_again(tree, edited):
    assert _changed_by(tree, edited, "\nEDITED = 1\n") == set()


@pytest.mark.parametrize(
    ("edited", "components"),
    [
        ("train/losses.py", {"Tuner", "Trainer"}),
        ("config/train.py", {"Tuner", "Trainer"}),
        ("model/unet_mobilenetv2.py", {"Tuner", "Trainer", "HFPusher"}),
        ("ingest/sources/coco.py", {"ExampleGen"}),
        ("evaluate/gate.py", {"Evaluator", "HFPusher"}),
    ],
)
def test_what_changes_a_result_runs_its_component_again(tree, edited, components):
    assert _changed_by(tree, edited, "\nEDITED = 1\n") == components


def test_a_decoder_runs_ingestion_again_and_no_training(tree):
    changed = _changed_by(tree, "ingest/picture.py", "\nEDITED = 1\n")
    assert "ExampleGen" in changed
    assert not changed & {"Trainer", "Transform", "Tuner"}


def test_a_docstring_anywhere_runs_nothing_again(tree, tmp_path):
    before = {name: digest.code_digest(module, tree) for name, module in MODULE_OF.items()}
    other = tmp_path / "other"
    shutil.copytree(tree, other)
    for path in (other / "segpipe").rglob("*.py"):
        path.write_text(path.read_text() + '\n# A comment.\n"""A docstring."""\n')
    assert {name: digest.code_digest(module, other) for name, module in MODULE_OF.items()} == before


def test_the_trainer_depends_on_the_model_and_transform_does_not():
    trained_by = digest.import_closure("segpipe.pipeline.training").keys()
    transformed_by = digest.import_closure("segpipe.pipeline.preprocessing").keys()
    assert "segpipe.preprocess.pictures" in trained_by & transformed_by
    assert any(name.startswith("segpipe.model.") for name in trained_by)
    assert not any(name.startswith(("segpipe.model", "segpipe.train")) for name in transformed_by)


def test_sections_keep_what_a_component_depends_on_and_nothing_else(tmp_path):
    path = tmp_path / "farm.toml"
    path.write_text('[data]\nclasses = ["cat", "dog"]\n')

    def kept(*overrides):
        return digest.sections(config.load(path, overrides), "model", "train", "seed")

    assert kept("gate.min_mean_iou=0.9") == kept()
    assert kept("train.epochs=2") != kept()
    assert kept("seed=2") != kept()
    assert config.from_json(kept("train.epochs=2")).train.epochs == 2
