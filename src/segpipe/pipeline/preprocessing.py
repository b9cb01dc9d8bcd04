"""Transform's hook: turns stored pictures and masks into what the model takes and is judged by."""

from typing import Any

import tensorflow as tf

from segpipe import schema
from segpipe.preprocess import pictures


def preprocessing_fn(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """The graph that training, evaluation and serving share.

    Args:
      inputs: raw features; `image` and `mask` are string [N] of encoded pictures.
      custom_config: `image_size`, the side in pixels of the square that the model sees.

    Returns:
      `image` float32 [N, S, S, 3] in [-1, 1] and `mask` int64 [N, S, S] of class ids or 255.
    """
    size = custom_config["image_size"]
    return {
        schema.IMAGE: pictures.images_to_inputs(inputs[schema.IMAGE], size),
        schema.MASK: pictures.masks_to_targets(inputs[schema.MASK], size),
    }
