"""The section [watch]: when a deployed model counts as drifted or degraded."""

from typing import Annotated

from pydantic import Field

from segpipe.config.section import Fraction, Section


class Watch(Section):
    """When the deployed model counts as drifted or degraded, and how often it may be trained anew by itself.

    Attributes:
      window_days: how far back answered requests are looked at.
      min_pictures: fewer in the window give no verdict on drift.
      min_labels: fewer labelled requests give no verdict on accuracy.
      false_alarm_rate: wanted chance per look that an unchanged world is called drifted.
      max_mean_iou_drop: allowed below the test split's mean IoU before the model counts as degraded.
      cool_down_hours: between two starts of retraining.
      max_per_week: starts of retraining in any seven days.
    """

    window_days: Annotated[float, Field(gt=0)] = 7.0
    min_pictures: Annotated[int, Field(ge=10)] = 30
    min_labels: Annotated[int, Field(ge=5)] = 20
    false_alarm_rate: Annotated[float, Field(gt=0.0, le=0.2)] = 0.01
    max_mean_iou_drop: Fraction = 0.02
    cool_down_hours: Annotated[float, Field(ge=0)] = 24.0
    max_per_week: Annotated[int, Field(ge=1)] = 3
