"""The machines and GPUs at hand in, the tf.distribute strategy that uses them all out."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

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

    def share(self, files: Sequence[str]) -> list[str]:
        """This worker's files: every file belongs to one worker, if there are enough of them."""
        return list(files[self.index :: self.workers])


def cluster() -> Cluster:
    """Reads TF_CONFIG, as Vertex AI sets it: {"cluster": {"chief": […], "worker": […]}, "task": {"type", "index"}}."""
    tf_config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    addresses, task = tf_config.get("cluster", {}), tf_config.get("task", {})
    chiefs, workers = len(addresses.get("chief", ())), len(addresses.get("worker", ()))
    index = task.get("index", 0) + (chiefs if task.get("type") == "worker" else 0)
    return Cluster(max(1, chiefs + workers), int(index))


def strategy(place: Cluster) -> tf.distribute.Strategy:
    """One strategy for every case: several workers, several GPUs, or one device."""
    if place.workers > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
