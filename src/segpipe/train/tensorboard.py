"""Writes the history of a training as event files for TensorBoard, which need not be installed."""

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

_AS_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"))


class Curves:
    """One curve per number of the history, over the epochs.

    Args:
      folder: a path or gs:// URL; what an earlier, killed training wrote there is replaced.
      classes: the names of the classes.
      history: the epochs that an earlier call has done.
    """

    def __init__(self, folder: str, classes: tuple[str, ...], history: Iterable[Mapping[str, Any]] = ()) -> None:
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        self._classes = classes
        self._writer = tf.summary.create_file_writer(folder)
        for row in history:
            self.add(row)

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds one epoch, a row of the history, and makes it visible at once."""
        with self._writer.as_default():
            for name, value in numbers(row, self._classes).items():
                # tf.summary.scalar would do this, but imports TensorBoard, which TensorFlow no longer brings along.
                tf.summary.write(name, tf.constant(value, tf.float32), row["epoch"], _AS_SCALAR)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def numbers(row: Mapping[str, Any], classes: tuple[str, ...]) -> dict[str, float]:
    """What a curve can be drawn of in a row of the history, by name; the IoU of a class as val_iou/NAME."""
    single = {name: value for name, value in row.items() if name not in ("epoch", "val_class_iou")}
    by_class = dict(zip(classes, row["val_class_iou"], strict=True))
    return {**single, **{f"val_iou/{name}": value for name, value in by_class.items() if value is not None}}
