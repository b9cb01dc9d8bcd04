"""Chooses the tf.distribute strategy that uses all machines and GPUs at hand."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Cluster:
    """This process's place among the workers.

    Attributes:
      workers: how many there are.
      index: of this one; 0 is the chief, who writes checkpoints.
    """

    workers: int = 1
    index: int = 0

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes what all share."""
        return self.index == 0


def cluster() -> Cluster:
    """Reads TF_CONFIG, as Vertex AI sets it: {"cluster": {"chief": […], "worker": […]}, "task": {"type", "index"}}."""
    tf_config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    addresses, task = tf_config.get("cluster", {}), tf_config.get("task", {})
    chiefs, workers = len(addresses.get("chief", ())), len(addresses.get("worker", ()))
    index = task.get("index", 0) + (chiefs if task.get("type") == "worker" else 0)
    return Cluster(max(1, chiefs + workers), int(index))


@functools.cache
def strategy() -> tf.distribute.Strategy:
    """One strategy for every case: several workers, several devices, or one; the same strategy at every call.

    With several workers the first call must come before anything else of TensorFlow runs.
    """
    if cluster().workers > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    # More than one CPU device is there only where a program has asked for it.
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def total(values: np.ndarray) -> np.ndarray:
    """The sum over all workers of int64 numbers, of the same shape on each."""
    if cluster().workers == 1:
        return values
    chosen = strategy()
    local = chosen.num_replicas_in_sync // cluster().workers
    summed = chosen.run(lambda: tf.constant(values, tf.int64))
    return np.asarray(chosen.reduce(tf.distribute.ReduceOp.SUM, summed, axis=None)) // local


def averaging(variables: Sequence[keras.Variable]) -> Callable[[], None]:
    """Compiles what gives float variables that each replica changes by itself their mean over all replicas, on each.

    Moving averages are such. Being linear, they need no mean after each step: one after many comes to the same.
    """
    chosen = strategy()
    if chosen.num_replicas_in_sync == 1 or not variables:
        return lambda: None

    @tf.function(autograph=False)
    def average() -> None:
        for variable in variables:
            values = chosen.run(tf.identity, (variable.value,))
            variable.value.assign(chosen.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))

    return average
