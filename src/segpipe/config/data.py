"""The sections [data] and [validation]: what the masks mean, and how far two sets of pictures may lie apart."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from segpipe import schema
from segpipe.config.section import Color, Fraction, Section


class Data(Section):
    """What the masks mean and at which size the model sees the pictures.

    Attributes:
      classes: names, in the order of the class ids 0…K-1.
      mask_values: the value in the stored masks of each class, in the same order; 0…K-1 when left out.
      mask_colors: instead of values, the colour of each class in RGB masks, as in "#ff0000".
      mask_threshold: for masks of two classes with a soft edge: values from it on are the second class, the others the
        first; 0 for masks that hold class values.
      ignore_values: values in the stored masks that no loss and no metric counts.
      ignore_colors: the same for colours.
      image_size: side in pixels of the square that the model sees; a multiple of 32.
      schema_file: TensorFlow Metadata Schema of the Examples, relative to the TOML file.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=schema.MAX_CLASSES)]
    mask_values: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    mask_colors: tuple[Color, ...] = ()
    mask_threshold: Annotated[int, Field(ge=0, le=255)] = 0
    ignore_values: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    ignore_colors: tuple[Color, ...] = ()
    image_size: int = 128
    schema_file: str = "schema.pbtxt"

    @field_validator("image_size")
    @classmethod
    def _multiple_of_32(cls, size: int) -> int:
        if size < 32 or size % 32:
            raise ValueError(f"image_size must be a multiple of 32, got {size}; try {max(32, size // 32 * 32)}.")
        return size

    @model_validator(mode="after")
    def _classes_and_values_agree(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
            raise ValueError(f"classes must differ from each other, got {', '.join(twice)} more than once.")
        if self.mask_values and len(self.mask_values) != len(self.classes):
            raise ValueError(
                f"mask_values needs one value per class: {len(self.classes)} classes, "
                f"got {len(self.mask_values)} values."
            )
        if self.mask_colors and len(self.mask_colors) != len(self.classes):
            raise ValueError(
                f"mask_colors needs one colour per class: {len(self.classes)} classes, "
                f"got {len(self.mask_colors)} colours."
            )
        if self.mask_colors and (self.mask_values or self.ignore_values):
            raise ValueError("masks hold values or colours; give mask_values or mask_colors, not both.")
        if self.mask_threshold and (
            len(self.classes) != 2 or self.mask_values or self.mask_colors or self.ignore_values
        ):
            raise ValueError(
                "mask_threshold cuts grey masks into two classes: give two classes, and no mask_values, mask_colors or "
                "ignore_values."
            )
        if self.ignore_colors and not self.mask_colors:
            raise ValueError("ignore_colors needs mask_colors.")
        colors = [color.lower() for color in (*self.mask_colors, *self.ignore_colors)]
        if len(set(colors)) != len(colors):
            raise ValueError("mask_colors and ignore_colors must differ from each other.")
        values = self.class_values
        if len(set(values)) != len(values):
            raise ValueError("mask_values must differ from each other: one mask value cannot mean two classes.")
        if both := sorted(set(values) & set(self.ignore_values)):
            raise ValueError(
                f"a mask value is a class or ignored, not both; got {both} in mask_values and ignore_values."
            )
        return self

    @property
    def class_values(self) -> tuple[int, ...]:
        """The stored mask value of each class, in the order of the class ids."""
        return self.mask_values or tuple(range(len(self.classes)))


class Validation(Section):
    """How far the pictures of two sets may lie apart before the run stops, by feature.

    The features are the scalars of the data contract: brightness, contrast, saturation, sharpness, class_fraction,
    height and width. The distance is the Jensen-Shannon divergence, from 0 (alike) to 1. Small sets lie apart by chance
    alone, so a limit for them has to be wide.

    Attributes:
      max_skew: of train from eval, as in {brightness = 0.2}.
      max_drift: of train from the last accepted run's train.
    """

    max_skew: Mapping[str, Fraction] = Field(default_factory=dict)
    max_drift: Mapping[str, Fraction] = Field(default_factory=dict)

    @field_validator("max_skew", "max_drift")
    @classmethod
    def _known_features(cls, limits: Mapping[str, float]) -> Mapping[str, float]:
        for name in limits:
            if name not in schema.SCALARS:
                raise ValueError(f"[validation] knows {', '.join(schema.SCALARS)}, got {name!r}.")
        return limits
