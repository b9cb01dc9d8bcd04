"""Draws test pictures as panels for the model card, and copies them as examples for the demo."""

import io
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segpipe import schema
from segpipe.ingest import example
from segpipe.ingest.picture import open_picture
from segpipe.palette import overlay
from segpipe.publish.files import File
from segpipe.publish.space.templates.predictor import Predictor

PANEL_HEIGHT_PX = 256
GAP_PX = 8


@dataclass(frozen=True)
class Picture:
    """One test picture: the encoded image and its mask, a PNG of class ids."""

    image: bytes
    mask: bytes


def first(records: Iterable[bytes], count: int) -> list[Picture]:
    """The first pictures of serialized Examples; their order is that of their ids' hashes, so it favours none."""
    decoded = (example.decode(record) for record in itertools.islice(records, count))
    return [Picture(one[schema.IMAGE][0], one[schema.MASK][0]) for one in decoded]


def panels(saved_model: Path, pictures: Sequence[Picture]) -> tuple[File, ...]:
    """pictures/N.png for each: the picture, the truth and the prediction side by side."""
    predictor = Predictor(saved_model)
    return tuple(
        File(f"pictures/{number}.png", _panel(predictor, picture)) for number, picture in enumerate(pictures, start=1)
    )


def examples(pictures: Sequence[Picture]) -> tuple[File, ...]:
    """The images as they are, to pick from in the demo."""
    named = ((f"{number}{_suffix(picture.image)}", picture.image) for number, picture in enumerate(pictures, start=1))
    return tuple(File(name, image) for name, image in named)


def _suffix(image: bytes) -> str:
    return ".png" if image.startswith(b"\x89PNG") else ".jpg"


def _panel(predictor: Predictor, picture: Picture) -> bytes:
    prediction = predictor.predict(picture.image)
    height, width = prediction.mask.shape
    truth = open_picture(picture.mask).resize((width, height), Image.Resampling.NEAREST)
    shown = [
        prediction.picture,
        overlay(prediction.picture, np.asarray(truth), colors=predictor.palette),
        overlay(prediction.picture, prediction.mask, colors=predictor.palette),
    ]
    size = (max(1, round(width * PANEL_HEIGHT_PX / height)), PANEL_HEIGHT_PX)
    panel = Image.new("RGB", (3 * size[0] + 2 * GAP_PX, PANEL_HEIGHT_PX), "white")
    for column, pixels in enumerate(shown):
        panel.paste(Image.fromarray(pixels).resize(size), (column * (size[0] + GAP_PX), 0))
    buffer = io.BytesIO()
    panel.save(buffer, "PNG")
    return buffer.getvalue()
