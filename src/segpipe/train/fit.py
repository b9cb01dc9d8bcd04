"""Trains a config on its data and returns the best model; killed at any point, the same call continues.

On several workers every one calls `fit` alike; the chief alone writes.
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from segpipe import model as models
from segpipe.config import Config
from segpipe.config.train import WITHOUT_EFFECT
from segpipe.errors import RunError
from segpipe.model import seeds, weights
from segpipe.model.network import sublayers
from segpipe.progress import report
from segpipe.train import (
    checkpoint,
    data,
    distribution,
    losses,
    metrics,
    optimizer,
    precision,
    resizing,
    steps,
    tensorboard,
    tracking,
)

HISTORY_FILE = "history.json"
CURVES_DIR = "tensorboard"
REPORT_EVERY_S = 0.5
CLASS_WEIGHT_POWER = {"none": 0.0, "sqrt_balanced": 0.5, "balanced": 1.0}


@dataclass(frozen=True)
class Trained:
    """The outcome of a training.

    Attributes:
      model: with the weights of the epoch that scored best on the eval split; it computes in float32.
      history: per epoch: epoch, image_size (of the train pictures), loss, val_loss, val_mean_iou, val_class_iou (None
        for a class that does not occur), learning_rate, seconds, pictures_per_s.
      best_epoch: counted from 1.
      encoder: the part of `model` before its decoder; see `Network`.
    """

    model: keras.Model
    history: list[dict[str, Any]]
    best_epoch: int
    encoder: keras.Model | None = None


def fit(
    config: Config, train_files: Sequence[str], eval_files: Sequence[str], transform: data.Transform, work_dir: str
) -> Trained:
    """Trains the model that the config names.

    Args:
      config: the run.
      train_files: gzip TFRecord files of Examples; these alone change the weights.
      eval_files: likewise; these alone select the epoch.
      transform: raw features string [N] → {"image": float32 [N, S, S, 3], "mask": int64 [N, S, S]}.
      work_dir: a folder or gs:// URL that outlives a crash; it gets a checkpoint after each epoch, history.json and,
        for `tensorboard --logdir`, the same curves under tensorboard/.

    Raises:
      ConfigError: the model cannot be built.
      DataError: a split is empty.
      RunError: the loss is no longer a number, or memory or disk ran out.
    """
    strategy, place = distribution.strategy(), distribution.cluster()
    recipe = config.train
    work_dir = str(work_dir)
    tf.io.gfile.makedirs(work_dir)
    keras.utils.set_random_seed(config.seed)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    in_precision = precision.building_in(precision.resolve(recipe.precision))
    with strategy.scope(), in_precision, seeds.drawn_from(config.seed):
        network = models.build(config.model, config.num_classes, config.data.image_size, config.directory)
    traced = tf.function(transform, autograph=False)  # Once for both splits: that takes longer than many pictures.
    cache = (traced, config.data.image_size, recipe.cache_gb)
    train = data.load(train_files, *cache, "train", place.workers, place.index)
    # Every worker judges the whole eval split, so that all come to the same decisions.
    validation = data.load(eval_files, *cache, "eval")
    try:
        training = _Training(config, network, train, validation)
        return training.run(work_dir, _digest(config, [*train_files, *eval_files]))
    except tf.errors.ResourceExhaustedError as error:
        raise RunError(
            f"out of memory with train.batch_size = {recipe.batch_size} at {config.data.image_size} pixels; "
            f"try train.batch_size = {max(1, recipe.batch_size // 2)}."
        ) from error


class _Training:
    """One training: what stays the same from epoch to epoch."""

    def __init__(self, config: Config, network: models.Network, train: data.Pictures, validation: data.Pictures):
        self._config, self._network, self._train, self._validation = config, network, train, validation
        self._sides, self._smaller = resizing.sides(config.train, config.data.image_size), train
        self._learners: dict[bool, steps.TrainStep] = {}
        recipe = config.train
        self._model = network.model
        self._variables = self._model.trainable_variables
        self._strategy, self._place = distribution.strategy(), distribution.cluster()
        self._pictures = int(distribution.total(np.array(len(train))))
        self._batch_size = min(recipe.batch_size, self._pictures)
        self._steps = math.ceil(self._pictures / self._batch_size)
        with self._strategy.scope():
            self._optimizer = optimizer.build(recipe, self._variables, network.pretrained, self._steps)
        self._rate = optimizer.learning_rate(recipe, self._steps)
        power, self._class_weights = CLASS_WEIGHT_POWER[recipe.class_weights], None
        if power:
            class_pixels = distribution.total(train.class_pixels(config.num_classes))
            self._class_weights = losses.balanced_weights(class_pixels, power)
        self._average_statistics = distribution.averaging(_statistics(self._model))
        self._judge = steps.eval_step(self._model, recipe, config.data.image_size)

    def run(self, work_dir: str, digest: str) -> Trained:
        """Trains from the last checkpoint, if any, to the last epoch or until patience ends."""
        recipe = self._config.train
        state = checkpoint.load(work_dir, digest) or checkpoint.State()
        if state.epoch:
            _assign(self._all_variables(), state.variables)
        with self._curves(work_dir, digest, state) as curves, resizing.any_side(self._model):
            self._try_full_side(state)
            while state.epoch < recipe.epochs and self._without_a_better_one(state) < recipe.patience_epochs:
                self._epoch(state)
                if self._place.is_chief:
                    _keep(state, work_dir, digest)
                for one in curves:
                    one.add(state.history[-1])
        network = self._in_float32()
        _assign(network.model.variables, state.best)
        return Trained(network.model, state.history, state.best_epoch, network.encoder)

    def _without_a_better_one(self, state: checkpoint.State) -> int:
        """How many epochs have brought nothing; none counts before the pictures have their full side."""
        return state.epoch - max(state.best_epoch, self._sides.index(self._sides[-1]))

    @contextmanager
    def _curves(
        self, work_dir: str, digest: str, state: checkpoint.State
    ) -> Iterator[list[tensorboard.Curves | tracking.TrackioRun]]:
        """Where the history is to be seen while it grows; the chief alone shows it."""
        shown: list[tensorboard.Curves | tracking.TrackioRun] = []
        if self._place.is_chief:
            shown.append(tensorboard.Curves(f"{work_dir}/{CURVES_DIR}", self._config.data.classes, state.history))
            if self._config.train.tracker == "trackio":
                shown.append(tracking.TrackioRun(self._config, digest, work_dir, state.history))
        with ExitStack() as stack:
            for one in shown:
                stack.callback(one.close)
            yield shown

    def _in_float32(self) -> models.Network:
        """The same network for whoever serves or converts it, who may have no fast bfloat16, or none at all."""
        config = self._config
        if precision.resolve(config.train.precision) == precision.FLOAT32:
            return self._network
        # Its weights are about to be replaced: none are read, unless a preset decides the shape of the network.
        preset = config.model.weights.startswith(weights.PRESET)
        model = config.model if preset else config.model.model_copy(update={"weights": weights.NONE})
        with precision.building_in(precision.FLOAT32):
            return models.build(model, config.num_classes, config.data.image_size, config.directory)

    def _try_full_side(self, state: checkpoint.State) -> None:
        """One step of the last epoch, then undone: where memory ends, it ends before the epochs of smaller pictures."""
        if state.epoch >= self._sides.index(self._sides[-1]):
            return
        values = [variable.numpy() for variable in self._all_variables()]
        learn = self._learner(len(self._sides) - 1)
        for images, masks in self._batches(self._train, state.epoch, 1):
            learn(images, masks)
        _assign(self._all_variables(), values)

    def _learner(self, epoch: int) -> steps.TrainStep:
        """The step of an epoch, compiled once for a frozen encoder and once for a free one."""
        frozen = epoch < self._config.train.frozen_epochs
        if frozen not in self._learners:
            self._learners[frozen] = self._compile(frozen)
        return self._learners[frozen]

    def _compile(self, frozen: bool) -> steps.TrainStep:
        pretrained = {variable.path for variable in self._network.pretrained} if frozen else set()
        chosen = [variable for variable in self._variables if variable.path not in pretrained]
        config = self._config
        return steps.train_step(self._model, chosen, self._optimizer, config.train, self._class_weights, config.seed)

    def _epoch(self, state: checkpoint.State) -> None:
        """Runs one epoch and brings `state` up to date."""
        started = time.monotonic()
        rate = float(self._rate(self._optimizer.iterations))
        loss = self._learn(state)
        self._average_statistics()  # So that all workers judge, keep and continue the same model.
        learned_s = time.monotonic() - started
        val_loss, counts = self._validate()
        mean_iou = metrics.mean_iou(counts)
        class_iou = [None if math.isnan(iou) else round(float(iou), 6) for iou in metrics.class_iou(counts)]
        row = {
            "epoch": state.epoch + 1,
            "image_size": self._sides[state.epoch],
            "loss": loss,
            "val_loss": val_loss,
            "val_mean_iou": mean_iou,
            "val_class_iou": class_iou,
            "learning_rate": rate,
            "seconds": round(time.monotonic() - started, 3),
            "pictures_per_s": round(self._pictures / learned_s, 2),
        }
        best = max((past["val_mean_iou"] for past in state.history), default=-1.0)
        state.epoch += 1
        state.history.append(row)
        state.variables = [variable.numpy() for variable in self._all_variables()]
        if mean_iou > best:
            state.best, state.best_epoch = state.variables[: len(self._model.variables)], state.epoch

    def _batches(self, pictures: data.Pictures, epoch: int, number: int) -> Iterable[tuple[tf.Tensor, tf.Tensor]]:
        """The first batches of an epoch: images and masks, on several replicas each its own."""
        replicas = self._strategy.num_replicas_in_sync
        per_replica = max(1, self._batch_size // replicas)
        local = per_replica * replicas // self._place.workers
        order = data.epoch_order(len(pictures), number * local, self._config.seed, epoch)
        batches: Iterable[tuple[tf.Tensor, tf.Tensor]] = self._strategy.distribute_datasets_from_function(
            lambda _: data.batches(pictures, per_replica, order)
        )
        return batches

    def _learn(self, state: checkpoint.State) -> float:
        """One pass over the train split; returns the mean loss."""
        config, side, sides_to_come = self._config, self._sides[state.epoch], self._sides[state.epoch + 1 :]
        learn, batches = self._learner(state.epoch), self._batches(self._train_pictures(side), state.epoch, self._steps)
        what = f"epoch {state.epoch + 1}/{config.train.epochs}"
        if side < config.data.image_size:
            what += f" at {side} px"
        known = {"mean_iou": state.history[-1]["val_mean_iou"]} if state.history else {}
        # A step takes as long as its pictures are large.
        later = sum((other / side) ** 2 * self._steps for other in sides_to_come)
        total, started, reported = tf.zeros([]), time.monotonic(), 0.0
        for step, (images, masks) in enumerate(batches, 1):
            total += learn(images, masks)
            if time.monotonic() - reported > REPORT_EVERY_S or step == self._steps:
                loss = float(total) / step
                reported = time.monotonic()
                if not math.isfinite(loss):
                    raise RunError(
                        f"the loss is {loss} in {what}; try train.learning_rate = {config.train.learning_rate / 4:g}."
                    )
                step_s = (reported - started) / step
                pace = {
                    "pictures_per_s": self._batch_size / step_s,
                    "minutes_left": (self._steps - step + later) * step_s / 60,
                }
                report(what, step, self._steps, loss=loss, **known, **pace)
        return loss

    def _train_pictures(self, side: int) -> data.Pictures:
        """The train split at one side; the last smaller one is kept."""
        if side == self._config.data.image_size:
            self._smaller = self._train
        elif side != self._smaller.images.shape[1]:
            self._smaller = self._train  # The last ones' room is free before the next ones take theirs.
            self._smaller = data.resized(self._train, side, self._config.train.cache_gb, "train")
        return self._smaller

    def _validate(self) -> tuple[float, np.ndarray]:
        """The whole eval split: mean loss and confusion counts int64 [K, K]."""
        order = np.arange(len(self._validation))
        total_loss, total_counts = 0.0, np.zeros([self._config.num_classes] * 2, np.int64)
        for images, masks in data.batches(self._validation, self._config.train.batch_size, order):
            loss, counts = self._judge(images, masks)
            total_loss += float(loss) * len(images)
            total_counts += counts.numpy()
        return total_loss / len(self._validation), total_counts

    def _all_variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._optimizer.variables]


def _statistics(model: keras.Model) -> list[keras.Variable]:
    """What training changes without a gradient: batch normalization's moving averages, where they are not frozen."""
    layers = [layer for layer in sublayers(model) if layer.trainable]
    own = [variable for layer in layers for variable in layer._non_trainable_variables]
    return [variable for variable in own if tf.as_dtype(variable.dtype).is_floating]


def _keep(state: checkpoint.State, work_dir: str, digest: str) -> None:
    """Writes what the next call continues from, and the history for people."""
    checkpoint.save(work_dir, digest, state)
    text = json.dumps(state.history, indent=1).encode()
    with checkpoint.written_whole(f"{work_dir}/{HISTORY_FILE}", len(text) / 1e6) as stream:
        stream.write(text)


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _digest(config: Config, files: Sequence[str]) -> str:
    """Of everything that the result depends on: a checkpoint of anything else is not continued."""
    without = {"train": set(WITHOUT_EFFECT)}
    depends = config.model_dump(mode="json", include={"model", "train", "data", "seed"}, exclude=without)
    sizes = [(os.path.basename(file), tf.io.gfile.stat(file).length) for file in files]  # noqa: PTH119 (may be gs://)
    computed = [precision.resolve(config.train.precision), keras.__version__, tf.__version__]
    return hashlib.sha256(json.dumps([depends, sizes, computed], sort_keys=True).encode()).hexdigest()
