"""Initial weights depend on the seed and on nothing else."""

import random
from collections.abc import Callable

import keras
import numpy as np

from segpipe.model import seeds


def kernels(seed: int, meanwhile: Callable[[], object] = lambda: None) -> list[np.ndarray]:
    """Two kernels' first values, float32 [2, 3, 4]; `meanwhile` is called between them."""
    with seeds.drawn_from(seed):
        first = keras.initializers.GlorotUniform()((3, 4)).numpy()
        meanwhile()
        return [first, keras.initializers.GlorotUniform()((3, 4)).numpy()]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, again, other = kernels(5), kernels(5), kernels(6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_who_draws_from_pythons_generator_meanwhile_changes_nothing():
    """As google-cloud-storage does in a thread of its own."""
    np.testing.assert_array_equal(kernels(5, random.random), kernels(5))


def test_afterwards_keras_draws_as_before():
    keras.utils.set_random_seed(3)
    before = keras.initializers.GlorotUniform()((3, 4)).numpy()
    kernels(5)
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(keras.initializers.GlorotUniform()((3, 4)).numpy(), before)
