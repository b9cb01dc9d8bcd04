import math

import numpy as np
import pytest
import tensorflow as tf

from segpipe.train.losses import balanced_weights, segmentation_loss

TWO_PIXELS = tf.constant([[[0, 1]]], tf.uint8)


def logits_of(*probabilities):
    """Logits [1, 1, pixels, K] with the given softmax."""
    return tf.math.log(tf.constant([[probabilities]], tf.float32))


def test_cross_entropy_is_the_mean_over_pixels():
    loss = segmentation_loss(logits_of((0.5, 0.5), (0.2, 0.8)), TWO_PIXELS, dice_weight=0)
    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.8)) / 2, rel=1e-5)


def test_dice_is_one_minus_twice_the_overlap_by_the_sizes():
    loss = segmentation_loss(logits_of((0.5, 0.5), (0.2, 0.8)), TWO_PIXELS, dice_weight=1)
    cross_entropy = segmentation_loss(logits_of((0.5, 0.5), (0.2, 0.8)), TWO_PIXELS, dice_weight=0)
    expected = np.mean([1 - 2 * 0.5 / (0.7 + 1), 1 - 2 * 0.8 / (1.3 + 1)])
    assert float(loss - cross_entropy) == pytest.approx(expected, rel=1e-5)


def test_a_class_that_does_not_occur_has_no_part_in_dice():
    only_zeros = tf.zeros([1, 1, 2], tf.uint8)
    sure = logits_of((1 - 2e-7, 1e-7, 1e-7), (1 - 2e-7, 1e-7, 1e-7))
    assert float(segmentation_loss(sure, only_zeros)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_weights": tf.constant([1.0, 3.0])}])
def test_ignored_pixels_change_neither_loss_nor_gradient(options):
    logits = tf.Variable(logits_of((0.5, 0.5), (0.2, 0.8), (0.9, 0.1)))
    masks = tf.constant([[[0, 1, 255]]], tf.uint8)
    with tf.GradientTape() as tape:
        loss = segmentation_loss(logits, masks, **options)
    without = segmentation_loss(logits[:, :, :2], masks[:, :, :2], **options)
    assert float(loss) == pytest.approx(float(without), rel=1e-6)
    gradient = tape.gradient(loss, logits).numpy()
    assert np.all(gradient[:, :, 2] == 0)
    assert np.any(gradient[:, :, :2] != 0)


def test_nothing_to_judge_costs_nothing():
    assert float(segmentation_loss(logits_of((0.5, 0.5)), tf.constant([[[255]]], tf.uint8))) == 0


def test_label_smoothing_spreads_its_share_over_all_classes():
    loss = segmentation_loss(logits_of((0.9, 0.1)), tf.constant([[[0]]], tf.uint8), dice_weight=0, label_smoothing=0.2)
    assert float(loss) == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), rel=1e-5)


def test_class_weights_weigh_pixels_by_their_true_class():
    loss = segmentation_loss(
        logits_of((0.5, 0.5), (0.2, 0.8)), TWO_PIXELS, class_weights=tf.constant([1.0, 3.0]), dice_weight=0
    )
    assert float(loss) == pytest.approx(-(math.log(0.5) + 3 * math.log(0.8)) / 4, rel=1e-5)


def test_balanced_weights_make_every_class_count_alike():
    weights = balanced_weights(np.array([90, 10, 0]))
    assert weights[2] == 0
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    assert weights[:2] @ [90, 10] == pytest.approx(100)


def test_the_square_root_goes_half_the_way():
    weights = balanced_weights(np.array([90, 10]), power=0.5)
    assert weights[1] / weights[0] == pytest.approx(3)
