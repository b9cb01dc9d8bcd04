"""A run's folder as the pipeline leaves it, requests as the server keeps them: what `watch` makes of them."""

import gzip
import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segpipe import schema
from segpipe.cli.watch import watch
from segpipe.config import Config
from segpipe.errors import UserError
from segpipe.ingest.encode import encode
from segpipe.ingest.record import Record
from segpipe.io import tfrecord
from segpipe.savedmodel.load import load
from segpipe.serve import request_log
from segpipe.serve.request_log import Keeper, Retention
from segpipe.watch import window
from tests.serve import server_model

SIDE = server_model.SIZE


def scene(rng: np.random.Generator, light: float, turned: bool = False) -> tuple[bytes, np.ndarray]:
    """A picture of red and green stripes and which is which; the darker, the closer the channels are."""
    edge = int(rng.integers(SIDE // 4, 3 * SIDE // 4))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:, edge:] = 1
    level = light * rng.uniform(0.8, 1.2)
    pixels = np.zeros((SIDE, SIDE, 3))
    pixels[..., 0] = np.where(mask == 0, 150, 90) * level
    pixels[..., 1] = np.where(mask == 1, 150, 90) * level
    pixels += rng.normal(0, 12, pixels.shape)
    if turned:
        mask, pixels = mask.T, pixels.transpose(1, 0, 2)
    stream = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue(), mask


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    directory = tmp_path_factory.mktemp("run")
    config = Config(
        name="stripes",
        output_dir=str(directory / "run"),
        directory=directory,
        data={"classes": ("red", "green", "blue"), "image_size": SIDE},
        watch={"min_pictures": 30, "min_labels": 10},
    )
    rng = np.random.default_rng(0)
    server_model.save(config.output_path / "serving", 1)
    for split, number in ((schema.TRAIN, 150), (schema.EVAL, 60), (schema.TEST, 60)):
        folder = config.output_path / "pipeline" / "ExampleGen" / "examples" / "3" / f"Split-{split}"
        folder.mkdir(parents=True)
        with gzip.open(folder / "data.gz", "wb") as stream:
            for index in range(number):
                image, mask = scene(rng, 1.0)
                tfrecord.write(stream, encode(Record(f"{split}{index}", image, mask, split), config).example)
    return config


def ask(config: Config, folder: Path, light: float = 1.0, number: int = 60, turned: bool = False) -> list[np.ndarray]:
    """Sends pictures to the deployed model and keeps them all; returns the true masks."""
    rng = np.random.default_rng(1)
    model = load(config.output_path / "serving" / "1", 1)
    truths = []
    with Keeper(folder, share=1.0, pictures=True, retention=Retention()) as keeper:
        for _ in range(number):
            image, mask = scene(rng, light, turned)
            keeper.offer(model, [image], model.signature().run([image]))
            truths.append(mask)
    return truths


def label(folder: Path, labels: Path, truths: list[np.ndarray]) -> None:
    labels.mkdir()
    for one, truth in zip(request_log.read(folder), truths, strict=True):
        Image.fromarray(truth).save(labels / f"{one.id}.png")


def test_the_same_world_is_ok_with_and_without_labels(config, tmp_path):
    label(tmp_path / "kept", tmp_path / "labels", ask(config, tmp_path / "kept", light=1.0))
    without = window.look(config, tmp_path / "kept")
    assert (without.verdict.status, without.pictures, without.accuracy) == ("ok", 60, None)
    watched = window.look(config, tmp_path / "kept", tmp_path / "labels")
    assert watched.verdict.status == "ok"
    assert watched.accuracy.pictures == 60
    assert watched.accuracy.mean_iou == pytest.approx(watched.accuracy.test_mean_iou, abs=0.02)


def test_a_darker_world_drifts_before_labels_and_is_degraded_with_them(config, tmp_path):
    label(tmp_path / "kept", tmp_path / "labels", ask(config, tmp_path / "kept", light=0.35))
    without = window.look(config, tmp_path / "kept")
    assert without.verdict.status == "drift"
    assert any(reason.startswith("brightness moved") for reason in without.verdict.reasons)
    watched = window.look(config, tmp_path / "kept", tmp_path / "labels")
    assert watched.verdict.status == "degraded"
    assert watched.accuracy.difference.high < -0.02
    page = watched.page.read_text()
    assert "degraded" in page
    assert "brightness by day" in page
    summary = json.loads((watched.page.parent / "verdict.json").read_text())
    assert (summary["status"], summary["version"], summary["pictures"]) == ("degraded", 1, 60)


def test_a_turned_world_shows_in_what_the_encoder_sees_though_every_statistic_and_every_share_is_the_same(
    config, tmp_path
):
    ask(config, tmp_path / "kept", turned=True)
    watched = window.look(config, tmp_path / "kept")
    assert watched.verdict.status == "drift"
    drifted = [feature.name for feature in watched.drift.features if feature.drifted]
    assert drifted
    assert all(name.startswith("embedding/") for name in drifted)
    assert "embedding/remainder by day" in watched.page.read_text()


def test_retraining_starts_when_degraded_and_rests_after_it(config, tmp_path, monkeypatch, capfd):
    toml = config.directory / "stripes.toml"
    toml.write_text(
        f'output_dir = "{config.output_path}"\n[data]\nclasses = ["red", "green", "blue"]\nimage_size = {SIDE}\n'
        "[watch]\nmin_pictures = 30\nmin_labels = 10\n"
    )
    label(tmp_path / "kept", tmp_path / "labels", ask(config, tmp_path / "kept", light=0.35))
    started = []
    monkeypatch.setattr("segpipe.cli.run.run", lambda config, overrides: started.append(config))
    watch(toml, tmp_path / "kept", tmp_path / "labels", retrain=True)
    assert started == [toml]
    with pytest.raises(SystemExit) as ended:
        watch(toml, tmp_path / "kept", tmp_path / "labels", retrain=True)
    assert (len(started), ended.value.code) == (1, 5)
    assert "not retrained: it started 0.0 hours ago; 24.0 to go." in capfd.readouterr().err


def test_few_pictures_and_old_ones_give_no_verdict(config, tmp_path):
    ask(config, tmp_path / "kept", light=0.35, number=12)
    assert window.look(config, tmp_path / "kept").verdict.status == "too few"
    later = window.look(config, tmp_path / "kept", now_s=time.time() + 30 * 86400)
    assert later.pictures == 0


def test_nothing_kept_is_the_users_error(config, tmp_path):
    with pytest.raises(UserError, match="segpipe serve RUN --keep"):
        window.look(config, tmp_path / "nothing")
