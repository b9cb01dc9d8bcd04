"""The Tuner in the graph: its best recipe is the one that the Trainer trains by."""

import json

import pytest

TUNER_TOML = """
[tuner]
enabled = true
trials = 2
epochs = 1
learning_rate = [1e-3, 3e-3]
frozen_share = [0.5]
augment = [false]
"""


@pytest.mark.slow
def test_the_best_recipe_of_the_search_is_trained_by(project):
    toml = project.folder / "pipeline.toml"
    toml.write_text(toml.read_text() + TUNER_TOML)
    done = project.run("--set", "train.warmup_epochs=0")
    assert done.returncode == 0, done.stderr
    nodes = list(project.statuses())
    assert nodes.index("Tuner") == nodes.index("Trainer") - 1

    root = project.run_dir / "pipeline"
    [best] = root.glob("Tuner/best_hyperparameters/*/best_hyperparameters.txt")
    values = json.loads(best.read_text())["values"]
    [trials] = root.glob("Tuner/tuner_results/*/tuner_results.json")
    assert len(json.loads(trials.read_text())) == 2
    [history] = root.glob("Trainer/model_run/*/history.json")
    assert json.loads(history.read_text())[0]["learning_rate"] == pytest.approx(values["learning_rate"])
    assert 1e-3 <= values["learning_rate"] <= 3e-3
