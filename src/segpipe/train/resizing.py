"""Plans progressive resizing: the side of the pictures in each epoch.

A smaller picture costs less by its area and teaches most of the same at first:
https://www.fast.ai/posts/2018-08-10-fastai-diu-imagenet.html
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import keras

from segpipe.config.train import Train
from segpipe.model.network import sublayers

STEP = 32
"""Every network takes sides that are a multiple of this."""
SHARES = (0.5, 0.75)
"""Of the full side, in turn, for as many epochs each."""


def sides(recipe: Train, image_size: int) -> list[int]:
    """The side of the train pictures in each epoch, in pixels; at least the last one sees the full side.

    Args:
      recipe: the config's [train] section.
      image_size: S, the full side.
    """
    smaller = min(round(recipe.progressive_resizing * recipe.epochs), recipe.epochs - 1)
    steps = [math.ceil(share * image_size / STEP) * STEP for share in SHARES]
    return [steps[epoch * len(steps) // smaller] for epoch in range(smaller)] + [image_size] * (recipe.epochs - smaller)


@contextmanager
def any_side(model: keras.Model) -> Iterator[None]:
    """Meanwhile the model takes pictures of any side, not only of the one that it was built for."""
    parts = [part for part in (model, *sublayers(model)) if isinstance(part, keras.Model) and part.input_spec]
    specs = [part.input_spec for part in parts]
    for part in parts:
        part.input_spec = None
    try:
        yield
    finally:
        for part, spec in zip(parts, specs, strict=True):
            part.input_spec = spec
