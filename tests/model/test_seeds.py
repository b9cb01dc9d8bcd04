"""Initial weights depend on the seed and on nothing else."""

import random
import threading

import keras
import numpy as np

from segpipe.model import seeds


def kernels(seed: int) -> list[np.ndarray]:
    with seeds.drawn_from(seed):
        return [keras.initializers.GlorotUniform()((3, 4)).numpy() for _ in range(20)]


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    first, again, other = kernels(5), kernels(5), kernels(6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_a_thread_that_draws_from_pythons_generator_changes_nothing():
    expected, done = kernels(5), threading.Event()

    def draw() -> None:
        while not done.is_set():
            random.uniform(0, 1)  # noqa: S311 (no secret)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        np.testing.assert_array_equal(kernels(5), expected)
    finally:
        done.set()
        thread.join()


def test_afterwards_keras_draws_as_before():
    keras.utils.set_random_seed(3)
    before = keras.initializers.GlorotUniform()((3, 4)).numpy()
    kernels(5)
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(keras.initializers.GlorotUniform()((3, 4)).numpy(), before)
