"""Draws the same initial weights for a seed, whatever other threads do meanwhile."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from keras.src.random import seed_generator


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Has Keras' initializers draw their seeds from a generator of their own.

    Keras draws them from Python's global one, of which `keras.utils.set_random_seed` sets the state. But any thread may
    draw from that one too, as google-cloud-storage does for the pauses between its attempts.

    There is no public way in: the networks of keras.applications take no initializers.
    """
    shared = seed_generator.python_random
    seed_generator.python_random = random.Random(seed)  # noqa: S311 (no secret)
    try:
        yield
    finally:
        seed_generator.python_random = shared
