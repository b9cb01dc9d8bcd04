"""The whole pipeline through its command line: finished, repeated, edited, refused."""

import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image
from typer.testing import CliRunner

from segpipe import config, model
from segpipe.cli.main import app
from segpipe.pipeline.local import provenance
from segpipe.savedmodel.native_size import at_size
from tests import forked
from tests.pipeline.conftest import BROKEN, Project

pytestmark = pytest.mark.slow

NODES = [
    "ExampleGen", "StatisticsGen", "ImportSchemaGen", "ExampleValidator", "Transform", "Trainer",
    "latest_blessed_model_resolver", "Evaluator", "Pusher", "HFPusher",
]  # fmt: skip


def rerun(project: Project) -> list[str]:
    """The nodes of the last run that were not reused; the Resolver always looks."""
    return [
        node
        for node, status in project.statuses().items()
        if status != "reused" and node != "latest_blessed_model_resolver"
    ]


def versions(project: Project) -> list[str]:
    return sorted(path.name for path in (project.run_dir / "serving").iterdir())


def test_a_run_ends_with_a_blessed_model_a_report_and_a_summary(finished, unbroken):
    summary = unbroken
    assert sorted(summary["components"]) == sorted(NODES)
    assert summary["blessed"] is True
    assert 0 <= summary["metrics"]["candidate"]["mean_iou"] <= 1
    assert set(summary["metrics"]["candidate"]["class_iou"]) == {"ground", "disk", "square"}
    assert summary["metrics"]["baseline"] is None
    interval = summary["intervals"]["mean_iou"]
    assert interval["low"] <= summary["metrics"]["candidate"]["mean_iou"] <= interval["high"]
    assert summary["intervals"]["difference"] is None
    assert [Path(one["picture"]).name for one in summary["worst"]] == ["1.jpg", "2.jpg", "3.jpg"]
    assert all(Path(one["picture"]).is_file() for one in summary["worst"])
    assert all(component["peak_rss_mb"] > 0 for component in summary["components"].values())
    [version] = versions(finished)
    assert (finished.run_dir / "serving" / version / "saved_model.pb").is_file()
    assert "<html" in (finished.run_dir / "report" / "index.html").read_text()


def test_a_picture_that_cannot_be_read_is_listed_in_summary_and_report(finished, unbroken):
    assert list(unbroken["quarantined"]) == [BROKEN]
    assert f"{BROKEN}.jpg" in unbroken["quarantined"][BROKEN]
    assert sum(unbroken["pictures"].values()) == 40
    assert f"{BROKEN}.jpg" in (finished.run_dir / "report" / "index.html").read_text()


def report(project: Project):
    return CliRunner().invoke(app, ["report", str(project.run_dir), "--verbose"])


def test_the_report_comes_back_from_what_the_run_left(finished, unbroken):
    page = finished.run_dir / "report" / "index.html"
    before = page.read_text()
    page.unlink()
    told = report(finished)
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[-1].endswith("report/index.html")
    assert finished.summary() == unbroken
    # Matplotlib draws the identifiers of its clip paths by chance.
    words = [re.sub("<svg.*?</svg>", "", text, flags=re.DOTALL) for text in (before, page.read_text())]
    assert words[0] == words[1]


def test_the_command_publishes_what_the_run_published(finished, unbroken, tmp_path: Path):
    """File by file, the card and the demo included."""
    published = finished.run_dir / "hub"
    by_run = {path.relative_to(published): path.read_bytes() for path in published.rglob("*") if path.is_file()}
    published.rename(tmp_path / "by_run")
    command = [sys.executable, "-m", "segpipe.cli.main", "publish", str(finished.folder / "pipeline.toml")]
    assert forked.run(command, finished.environment(), finished.folder).returncode == 0
    by_command = {path.relative_to(published): path.read_bytes() for path in published.rglob("*") if path.is_file()}
    assert by_command == by_run
    [version] = (published / "models/local/tiny").glob("v*")
    card = (version / "README.md").read_text()
    assert "Verdict of the gate: blessed" in card
    pictures = ", ".join(f"{unbroken['pictures'][split]} {split}" for split in ("train", "eval", "test"))
    assert f"Pictures: {pictures}." in card
    assert "\n| slice |" in card


def test_the_schema_that_made_the_model_has_its_digest_in_the_lineage_and_the_report(finished):
    digest = hashlib.sha256((finished.folder / "schema.pbtxt").read_bytes()).hexdigest()[:16]
    [imported] = [
        step for step in provenance.of_model(finished.run_dir / "metadata.db") if step.component == "ImportSchemaGen"
    ]
    assert imported.digests == {"schema_digest": digest}
    assert digest in (finished.run_dir / "report" / "index.html").read_text()


def test_one_jpeg_gets_one_mask_by_the_transform_graph_the_signature_and_the_command(finished, tmp_path: Path):
    data, root = finished.folder / "data", finished.run_dir / "pipeline"
    [graph], [weights] = root.glob("Transform/transform_graph/*"), root.glob("Trainer/model_run/*/model.weights.h5")
    transform = tft.TFTransformOutput(str(graph)).transform_features_layer()
    files = {"image": data / "images" / "000.jpg", "mask": data / "masks" / "000.png"}
    encoded = {name: tf.constant([file.read_bytes()]) for name, file in files.items()}
    settings = config.load(finished.folder / "pipeline.toml")
    network = model.build(settings.model, settings.num_classes, settings.data.image_size).model
    network.load_weights(weights)
    by_graph = network(transform(encoded)["image"], training=False).numpy().argmax(-1)[0]

    [version] = (finished.run_dir / "serving").iterdir()
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    by_signature = signature(image_bytes=encoded["image"])["mask"].numpy()[0]
    told = CliRunner().invoke(app, ["predict", str(finished.run_dir), str(files["image"]), "-o", str(tmp_path)])
    assert told.exit_code == 0, told.output
    by_command = np.asarray(Image.open(tmp_path / "masks" / "000.png"))
    np.testing.assert_array_equal(by_signature, by_graph)
    np.testing.assert_array_equal(by_command, at_size(by_graph.astype(np.uint8), *by_command.shape))


def test_weights_that_are_not_there_are_refused_before_a_picture_is_read(project):
    refused = project.run("--set", "model.weights=gone.h5")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("segpipe: model.weights: no such file: ")
    assert not (project.run_dir / "pipeline").exists()


def test_a_second_run_reuses_everything(finished):
    before = versions(finished)
    again = finished.run()
    assert again.returncode == 0, again.stderr
    assert rerun(finished) == []
    assert versions(finished) == before
    assert "serving" in again.stdout


def test_a_new_floor_judges_again_and_trains_nothing(finished):
    refused = finished.run("--set", "gate.min_mean_iou=0.99")
    assert refused.returncode == 3, refused.stderr
    assert rerun(finished) == ["Evaluator", "Pusher", "HFPusher"]
    assert finished.summary()["blessed"] is False
    assert "mean IoU" in finished.summary()["reasons"][0]
    assert "0.99" in refused.stdout
    refusal = finished.summary()
    assert report(finished).exit_code == 0
    assert finished.summary() == refusal


def test_an_edit_of_the_model_code_trains_again_and_reads_nothing_again(finished):
    [module] = finished.source_root.glob("segpipe/model/unet_mobilenetv2.py")
    module.write_text(module.read_text() + "\nEDITED = True\n")  # A statement: comments have no effect.
    edited = finished.run("--set", "gate.max_mean_iou_drop=1.0")
    assert edited.returncode == 0, edited.stderr
    assert rerun(finished) == ["Trainer", "Evaluator", "Pusher", "HFPusher"]
    assert finished.summary()["metrics"]["baseline"] is not None
    assert len(versions(finished)) == 2
