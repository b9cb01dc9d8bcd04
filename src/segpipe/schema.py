"""The data contract: names, types and meaning of what one stored picture holds, for every stage.

One `tf.train.Example` per picture, whatever the source; docs/data.md describes it for people.
"""

from typing import Final

IMAGE: Final = "image"  # bytes: the encoded JPEG or PNG, as it came
MASK: Final = "mask"  # bytes: PNG, one 8-bit channel, class ids 0…K-1, IGNORE elsewhere
ID: Final = "id"  # bytes: stable and unique in the data set
HEIGHT: Final = "height"  # int64: pixels of the encoded image
WIDTH: Final = "width"
BRIGHTNESS: Final = "brightness"  # float in [0, 1]: mean luma
CONTRAST: Final = "contrast"  # float in [0, 0.5]: standard deviation of luma
SATURATION: Final = "saturation"  # float in [0, 1]: mean HSV saturation
SHARPNESS: Final = "sharpness"  # float >= 0: standard deviation of the luma's Laplacian
CLASS_FRACTION: Final = "class_fraction"  # float [K]: share of the judged pixels per class
SLICE_PREFIX: Final = "slice/"  # bytes: optional attributes for sliced metrics, as in "slice/breed"

IMAGE_STATISTICS: Final = (BRIGHTNESS, CONTRAST, SATURATION, SHARPNESS)

SCALARS: Final = (HEIGHT, WIDTH, *IMAGE_STATISTICS, CLASS_FRACTION)
"""What statistics are taken of. Encoded pictures tell them nothing, and ids differ by design."""

OBJECT_SIZE: Final = "object_size"
"""Derived from CLASS_FRACTION, not stored: the smallest share that is not zero."""

IGNORE: Final = 255
"""Mask value of pixels that no loss and no metric counts."""

MAX_CLASSES: Final = 255
"""Class ids are stored in 8 bits and 255 means ignore."""

TRAIN: Final = "train"
EVAL: Final = "eval"
TEST: Final = "test"
SPLITS: Final = (TRAIN, EVAL, TEST)
"""train fits the weights, eval selects the epoch, test alone decides at the gate."""
