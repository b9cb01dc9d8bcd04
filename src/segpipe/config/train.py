"""The sections [train] and [tuner]: the training recipe, and the search for one."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from segpipe.config.section import Fraction, Section


class Train(Section):
    """The training recipe; docs/models.md explains it.

    Attributes:
      epochs: passes over the train split.
      frozen_epochs: the first of them, in which the encoder keeps its learned weights.
      batch_size: over all devices and workers together.
      learning_rate: of AdamW, at its highest.
      encoder_learning_rate: the same for learned weights.
      weight_decay: of kernels.
      warmup_epochs: in which the rate rises from 0; then it falls along a cosine.
      dice_weight: of the Dice loss beside cross-entropy.
      label_smoothing: share of the truth spread evenly over all classes.
      class_weights: none, or by how rare a class is in the train split, by the square root of that or in full.
      augment: flip, scale, crop, rotate and recolour.
      progressive_resizing: share of the epochs, the first ones, that learn from smaller pictures, at half the side and
        then at three quarters: these cost less. Every epoch is judged at the full side.
      patience_epochs: end after so many without a better mean IoU on the eval split.
      precision: to compute in while training; "auto" is mixed_bfloat16 where the hardware has it, else float32.
      xla: compile the whole step by XLA: for GPUs, slower on CPUs.
      deterministic: the same result at every run, bit for bit, at some cost.
      cache_gb: of memory for the decoded pictures of a split; above it they lie on disk. The smaller ones of
        progressive resizing are counted by themselves.
      tracker: "trackio" shows the curves on a Trackio dashboard, too; docs/models.md says where.
    """

    epochs: Annotated[int, Field(gt=0)] = 20
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(gt=0)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    encoder_learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    dice_weight: Annotated[float, Field(ge=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "sqrt_balanced", "balanced"] = "none"
    augment: bool = True
    progressive_resizing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience_epochs: Annotated[int, Field(gt=0)] = 5
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    xla: bool = False
    deterministic: bool = False
    cache_gb: Annotated[float, Field(ge=0)] = 1.0
    tracker: Literal["none", "trackio"] = "none"


WITHOUT_EFFECT = frozenset({"tracker", "cache_gb"})
"""Keys of [train] that change no result: a training that was killed goes on whatever they say now."""


class Tuner(Section):
    """A search over the recipe before the training; the best values replace those of [train].

    Attributes:
      enabled: whether there is a Tuner in the graph.
      trials: short trainings, each by a recipe drawn at random.
      epochs: of each trial.
      learning_rate: the range, drawn from evenly on a logarithmic scale; `train.encoder_learning_rate` keeps its ratio.
      frozen_share: choices of the share of the epochs in which the encoder is frozen.
      augment: choices of `train.augment`.
    """

    enabled: bool = False
    trials: Annotated[int, Field(gt=0)] = 8
    epochs: Annotated[int, Field(gt=0)] = 5
    learning_rate: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (5e-4, 5e-3)
    frozen_share: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.0, 0.25, 1.0)
    augment: Annotated[tuple[bool, ...], Field(min_length=1)] = (True, False)

    @field_validator("learning_rate")
    @classmethod
    def _rises(cls, learning_rate: tuple[float, float]) -> tuple[float, float]:
        if learning_rate[0] >= learning_rate[1]:
            raise ValueError(f"tuner.learning_rate is [lowest, highest], got {list(learning_rate)}.")
        return learning_rate
