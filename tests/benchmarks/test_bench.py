"""`python -m benchmarks` measures both designs from end to end."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from benchmarks import design_run, published_design, table
from benchmarks.pictures import write_pairs

ROOT = Path(__file__).parents[2]
PICTURES = 64


@pytest.fixture(scope="module")
def segpipe(tmp_path_factory) -> dict:
    """What the command measures of segpipe's own design."""
    out = tmp_path_factory.mktemp("out")
    command = [sys.executable, "-m", "benchmarks", "--design", "segpipe", "--pictures", str(PICTURES)]
    command += ["--training-steps", "1", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [result] = out.glob("*.json")
    assert done.stdout.strip().endswith(result.name)
    [design] = json.loads(result.read_text())["measured"]["segpipe"]
    return design


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> dict:
    """The same of the published design, in this process, with a network that is saved and loaded in no time."""
    out = tmp_path_factory.mktemp("out")
    pairs = write_pairs(out / "pairs", PICTURES, published_design.SIDE)
    measured = {"name": "published", "pictures": PICTURES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published_design, "unet", one_convolution)
        for step in ("prepare", "run", "rates"):
            more, started = ("1",) if step == "rates" else (), time.monotonic()
            design_run.main(step, "published", str(pairs), str(out), str(out / "result.json"), *more)
            measured[step] = json.loads((out / "result.json").read_text())
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
            measured[f"{step}_cost"] = {"seconds": time.monotonic() - started, "peak_rss_mb": peak_mb}
    return measured


def one_convolution() -> tf_keras.Model:
    inputs = tf_keras.layers.Input([published_design.SIDE] * 2 + [3], name="image_xf")
    outputs = tf_keras.layers.Conv2D(published_design.NUM_CLASSES, 3, padding="same", name="label_xf")(inputs)
    model = tf_keras.Model(inputs, outputs)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segpipe", "published"])
def test_a_design_runs_to_a_pushed_model(name, request):
    run = request.getfixturevalue(name)["run"]
    assert run["pushed"]
    assert 0 < run["fit"]["seconds"] < run["seconds"]
    assert run["judged_pictures"] > 0


@pytest.mark.slow
def test_each_step_is_a_process_of_its_own(segpipe):
    assert segpipe["run"]["seconds"] < segpipe["run_cost"]["seconds"]
    assert all(segpipe[f"{step}_cost"]["peak_rss_mb"] > 100 for step in ("prepare", "run", "rates"))


@pytest.mark.slow
def test_the_designs_are_compared(segpipe, published):
    rows = {row.name: row for row in table.rows(segpipe, published)}
    assert all(row.segpipe > 0 and row.published > 0 for row in rows.values())
    # One float32 per channel and pixel, and one per label: neither the machine nor its load changes that.
    prepared = rows["Example as prepared"]
    assert prepared.published == pytest.approx((3 + 1) * published_design.SIDE**2 * 4 / 1e3, rel=0.01)
    assert prepared.segpipe < prepared.published / 15


def test_the_published_network_learns():
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (2, 128, 128, 3)).astype(np.float32)
    masks = (images[..., 0] > 0).astype(np.float32)
    network = published_design.unet()
    assert not network.layers[1].trainable
    losses = [network.train_on_batch(images, masks)[0] for _ in range(4)]
    assert losses[-1] < losses[0]
