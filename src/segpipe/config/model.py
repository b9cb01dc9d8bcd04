"""The section [model]: which network, and where its weights start."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from segpipe.config.section import Section


class Model(Section):
    """Which network, how large, and where its weights start; docs/models.md lists the choices.

    Attributes:
      architecture: unet_mobilenetv2, deeplabv3plus or segformer.
      weights: "imagenet" (Keras downloads them), "none" (random), "preset:NAME" of Keras Hub, a file, or a URL that
        ends in "#sha256=HEX".
      accept_licence: name of the licence of a preset that restricts its use.
      width: MobileNetV2's multiplier (alpha).
      decoder_filters: of the U-Net, from the deepest level up.
      size: of SegFormer.
    """

    architecture: str = "unet_mobilenetv2"
    weights: str = "imagenet"
    accept_licence: str = ""
    width: float = 1.0
    decoder_filters: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=4, max_length=4)] = (
        512,
        256,
        128,
        64,
    )
    size: Literal["b0", "b1", "b2", "b3", "b4", "b5"] = "b0"

    @field_validator("width")
    @classmethod
    def _width_exists(cls, width: float) -> float:
        if width not in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
            raise ValueError(f"model.width must be one of 0.35, 0.5, 0.75, 1, 1.3 and 1.4, got {width:g}.")
        return width
