import json
import os
import sys

import pytest

from tests import forked
from tests.pipeline import segmenter
from tests.servers.google_fixtures import google, google_servers  # noqa: F401 (fixtures)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a run's models and prepared data."""
    folder = tmp_path_factory.mktemp("project")
    segmenter.save(folder / "run" / "serving" / "7", lambda guess: guess)
    segmenter.write_examples(folder / "prepared" / "test-00000-of-00001.tfrecord", *segmenter.pictures(12), "")
    return folder


def _evaluate(folder, *arguments, **environment):
    command = [sys.executable, "-m", "segpipe.cli.main", "evaluate", *arguments, "-o", "out"]
    return forked.run(command, {**os.environ, **environment}, folder)


def test_a_model_and_data_in_a_bucket_give_json_and_a_page(project, google, tmp_path):  # noqa: F811
    google.storage.make_bucket("evaluated")
    for path in project.rglob("*"):
        if path.is_file():
            google.storage.put("evaluated", str(path.relative_to(project)), path.read_bytes())
    answer = _evaluate(tmp_path, "gs://evaluated/run", "--data", "gs://evaluated/prepared", **google.environment())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "out/evaluation.json"
    result = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert result["model"] == "gs://evaluated/run/serving/7"
    assert result["pictures"] == 12
    assert f"mean IoU {result['metrics']['mean_iou']:.3f}" in answer.stderr
    assert "How good is it?" in (tmp_path / "out" / "index.html").read_text()


def test_no_model_and_no_split_are_named(project):
    assert "no SavedModel in nowhere" in _evaluate(project, "nowhere", "--data", "prepared").stderr
    answer = _evaluate(project, "run", "--data", "prepared", "--split", "eval")
    assert answer.returncode == 2
    assert "no file eval-* in prepared" in answer.stderr
