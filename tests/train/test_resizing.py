import importlib
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segpipe import progress
from segpipe.config.train import Train
from segpipe.errors import RunError
from segpipe.preprocess import pictures as preprocess
from segpipe.train import data, resizing, steps
from tests.train.conftest import fit, small_config

SIDE = 64


def transform(features):
    return {
        "image": preprocess.images_to_inputs(features["image"], SIDE),
        "mask": preprocess.masks_to_targets(features["mask"], SIDE),
    }


def resizing_config(**train):
    """One of 64 pixels: its first epochs have 32."""
    config = small_config()
    data_section = config.data.model_copy(update={"image_size": SIDE})
    return config.model_copy(update={"data": data_section, "train": config.train.model_copy(update=train)})


@pytest.mark.parametrize(
    ("image_size", "epochs", "share", "expected"),
    [
        (128, 6, 0.67, [64, 64, 96, 96, 128, 128]),
        (128, 5, 0.6, [64, 64, 96, 128, 128]),
        (256, 4, 0.5, [128, 192, 256, 256]),
        (160, 3, 0.67, [96, 128, 160]),
        (64, 4, 0.5, [32, 64, 64, 64]),
        (128, 3, 0.99, [64, 96, 128]),
        (128, 1, 0.99, [128]),
        (128, 2, 0.0, [128, 128]),
    ],
)
def test_half_the_side_then_three_quarters_then_all(image_size, epochs, share, expected):
    assert resizing.sides(Train(epochs=epochs, progressive_resizing=share), image_size) == expected


@given(st.integers(1, 32), st.integers(1, 60), st.floats(0, 1, exclude_max=True))
def test_sides_fit_every_network_never_fall_and_end_at_the_full_one(multiple, epochs, share):
    sides = resizing.sides(Train(epochs=epochs, progressive_resizing=share), 32 * multiple)
    assert len(sides) == epochs
    assert sides == sorted(sides)
    assert sides[-1] == 32 * multiple
    assert all(side % 32 == 0 and side >= 16 * multiple for side in sides)


@given(st.sampled_from([32, 64]), st.integers(0, 2**32 - 1))
def test_a_smaller_mask_keeps_to_its_classes_and_a_picture_is_what_pillow_makes_of_it(side, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (3, 96, 96, 3), np.uint8)
    masks = rng.choice(np.array([0, 4, 7, 255], np.uint8), (3, 96, 96))
    smaller = data.resized(data.Pictures(images, masks), side, cache_gb=1, name="train")
    assert set(np.unique(smaller.masks)) <= set(np.unique(masks))
    for ours, image in zip(smaller.images, images, strict=True):
        expected = np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
        assert np.abs(ours.astype(int) - expected).max() <= 1


def test_past_the_limit_smaller_pictures_lie_on_disk_too():
    full = data.Pictures(np.full((40, 64, 64, 3), 9, np.uint8), np.ones((40, 64, 64), np.uint8))
    smaller = data.resized(full, 32, cache_gb=0, name="train")
    assert isinstance(smaller.images, np.memmap)
    assert smaller.images.shape == (40, 32, 32, 3)
    assert np.all(smaller.images == 9)
    assert np.all(smaller.masks == 1)


@pytest.fixture(scope="module")
def resized(files, tmp_path_factory):
    """A training of five epochs whose first two see smaller pictures, and what it told."""
    heard = []
    config = resizing_config(epochs=5, progressive_resizing=0.6, patience_epochs=5)
    with progress.listening(heard.append):
        trained = fit(config, *files, transform, str(tmp_path_factory.mktemp("resized")))
    return trained, heard


def test_early_epochs_learn_from_smaller_pictures_and_all_are_judged_at_the_full_side(resized):
    history = resized[0].history
    assert [row["image_size"] for row in history] == [32, 32, 64, 64, 64]
    assert history[-1]["val_loss"] < history[0]["val_loss"]


def test_progress_tells_the_side_and_counts_dear_epochs_for_what_they_take(resized):
    last = {one.what: one.numbers for one in resized[1] if one.what.startswith("epoch") and one.done == one.total}
    assert list(last) == ["epoch 1/5 at 32 px", "epoch 2/5 at 32 px", "epoch 3/5", "epoch 4/5", "epoch 5/5"]
    second = last["epoch 2/5 at 32 px"]
    # Three epochs of 3 batches of 8, whose pictures have four times the area.
    assert second["minutes_left"] == pytest.approx(3 * 3 * 4 * 8 / second["pictures_per_s"] / 60)


def test_the_model_takes_its_own_side_alone_afterwards(resized):
    model = resized[0].model
    assert model(np.zeros((1, SIDE, SIDE, 3), np.float32)).shape == (1, SIDE, SIDE, 2)
    with pytest.raises(ValueError, match=re.escape("expected shape=(None, 64, 64, 3)")):
        model(np.zeros((1, 32, 32, 3), np.float32))


def test_patience_begins_with_the_full_side(files, tmp_path):
    # Nothing is learned. Without that, the best epoch would be long past when the pictures have their full side.
    config = resizing_config(epochs=40, progressive_resizing=0.75, patience_epochs=1, learning_rate=1e-12)
    trained = fit(config, *files, transform, str(tmp_path))
    assert [row["image_size"] for row in trained.history[:16]] == [32] * 15 + [SIDE]
    assert len(trained.history) < 40


def test_where_the_full_side_does_not_fit_into_memory_that_is_told_before_the_epochs_of_smaller_ones(
    files, tmp_path, monkeypatch
):
    sides = []

    def step_of(*_):
        def step(images, masks):
            sides.append(images.shape[1])
            if images.shape[1] == SIDE:
                raise tf.errors.ResourceExhaustedError(None, None, "no memory")
            return tf.zeros([])

        return step

    monkeypatch.setattr(steps, "train_step", step_of)
    with pytest.raises(RunError, match=r"out of memory with train\.batch_size = 8 at 64 pixels"):
        fit(resizing_config(epochs=4, progressive_resizing=0.5), *files, transform, str(tmp_path))
    assert sides == [SIDE]


def test_the_step_that_tries_it_changes_nothing(files, tmp_path, monkeypatch):
    config = resizing_config(epochs=2, progressive_resizing=0.5, deterministic=True)
    tried = fit(config, *files, transform, str(tmp_path / "tried"))
    monkeypatch.setattr(importlib.import_module("segpipe.train.fit")._Training, "_try_full_side", lambda *_: None)
    untried = fit(config, *files, transform, str(tmp_path / "untried"))
    for ours, theirs in zip(tried.model.weights, untried.model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
