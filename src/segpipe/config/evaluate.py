"""The sections [evaluate] and [gate]: what is measured on the test split, and what a model must reach."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from segpipe import schema
from segpipe.config.section import Fraction, Section


class Evaluate(Section):
    """Which parts of the test split are looked at on their own, beside the whole.

    Every attribute slice/<name> of the pictures is a slicing. So is each statistic in `buckets`: the image statistics
    of the data contract, and object_size, the share of the pixels of the smallest class that a picture shows.

    Attributes:
      buckets: edges that cut a statistic into buckets, as in brightness = [0.3, 0.55]; no edges, no slicing.
      crossed: slicings to cross, as in "breed*brightness".
      min_slice_pictures: a slice of fewer pictures is shown, but too small to judge.
    """

    buckets: Mapping[str, tuple[float, ...]] = Field(
        default_factory=lambda: {
            schema.BRIGHTNESS: (0.3, 0.55),
            schema.SHARPNESS: (0.1,),
            schema.OBJECT_SIZE: (0.02,),
        }
    )
    crossed: tuple[Annotated[str, Field(pattern=r"^[^*]+(\*[^*]+)+$")], ...] = ()
    min_slice_pictures: Annotated[int, Field(gt=0)] = 20

    @field_validator("buckets")
    @classmethod
    def _known_and_rising(cls, buckets: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
        known = (*schema.IMAGE_STATISTICS, schema.OBJECT_SIZE)
        for name, edges in buckets.items():
            if name not in known:
                raise ValueError(f"evaluate.buckets knows {', '.join(known)}, got {name!r}.")
            if list(edges) != sorted(set(edges)):
                raise ValueError(f"the edges of evaluate.buckets.{name} must rise, got {list(edges)}.")
        return buckets


class Gate(Section):
    """What a candidate must reach on the test split before it is pushed.

    Attributes:
      min_mean_iou: floor of the mean IoU over the classes.
      min_class_iou: floor for single classes, by name.
      min_slice_mean_iou: floor of the mean IoU of slices: "breed" for every breed, "breed=Abyssinian" for one.
      max_mean_iou_drop: how far the mean IoU may lie below the last blessed model's.
      max_plausible_drop: how far below it the lower end of the difference's confidence interval may lie.
      confidence: of that interval, and of every other in the report.
      bootstrap_resamples: how often the test pictures are drawn anew for the interval.
      max_latency_ms: budget of one picture through serving_default where the gate runs, median; measured only if set.
      max_model_mb: budget of the SavedModel on disk.
    """

    min_mean_iou: Fraction = 0.5
    min_class_iou: Mapping[str, Fraction] = Field(default_factory=dict)
    min_slice_mean_iou: Mapping[str, Fraction] = Field(default_factory=dict)
    max_mean_iou_drop: Fraction = 0.0
    max_plausible_drop: Fraction = 0.05
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    bootstrap_resamples: Annotated[int, Field(ge=100)] = 2000
    max_latency_ms: Annotated[float, Field(gt=0)] | None = None
    max_model_mb: Annotated[float, Field(gt=0)] | None = None
