"""Predicts mask, overlay and shares at the picture's own size, using the SavedModel's own signature."""

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_MEGAPIXELS = 40
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "PPM", "JPEG2000", "AVIF", "DIB", "TGA")
"""Pillow's names of the formats that are read; any other decoder stays out of a stranger's reach."""
EXIF_ORIENTATION = 0x0112


class BadPictureError(ValueError):
    """The file cannot be segmented; the message tells the person what to do."""


@dataclass(frozen=True)
class Prediction:
    """What the model says about one picture of height H and width W.

    Attributes:
      picture: uint8 [H, W, 3].
      mask: uint8 [H, W], class ids.
      shares: share of the pixels per class, in [0, 1].
      confidence: mean probability of the winning classes, in [0, 1].
    """

    picture: np.ndarray
    mask: np.ndarray
    shares: dict[str, float]
    confidence: float

    def overlay(self, palette: np.ndarray, opacity: float) -> np.ndarray:
        """The picture under its classes' colours: uint8 [H, W, 3]; opacity 0 shows the picture, 1 the mask."""
        return np.rint((1 - opacity) * self.picture + opacity * palette[self.mask]).astype(np.uint8)

    def mask_png(self) -> bytes:
        """The mask as a PNG of one 8-bit channel that holds the class ids."""
        buffer = io.BytesIO()
        Image.fromarray(self.mask).save(buffer, "PNG")
        return buffer.getvalue()


class Predictor:
    """A SavedModel in a folder, with the classes and colours that it carries."""

    def __init__(self, folder: str | Path) -> None:
        """Loads the model and runs it once, so that no visitor waits for the first run."""
        import tensorflow as tf

        about = json.loads((Path(folder) / "assets.extra" / "segpipe.json").read_text(encoding="utf-8"))
        self.classes: list[str] = about["classes"]
        self.palette = np.array(about["palette"], np.uint8)
        self._model = tf.saved_model.load(str(folder))
        self._run = self._model.signatures["serving_default"]
        self._tf = tf
        self.predict(_png(Image.new("RGB", (64, 64))))

    def predict(self, content: bytes) -> Prediction:
        """Segments one picture, given as the bytes of a file.

        Raises:
          BadPictureError: the file is no picture, is cut off, or is too large.
        """
        picture, encoded = _readable(content)
        try:
            outputs = self._run(image_bytes=self._tf.constant([encoded]))
        except self._tf.errors.InvalidArgumentError:  # Pillow forgives more than TensorFlow does.
            raise BadPictureError("The picture is damaged. Please save it again and retry.") from None
        mask = _enlarged(outputs["mask"].numpy()[0], picture.height, picture.width)
        shares = zip(self.classes, outputs["class_fraction"].numpy()[0].tolist(), strict=True)
        return Prediction(np.asarray(picture), mask, dict(shares), float(outputs["confidence"].numpy()[0]))


def model_folder(repo_id: str, revision: str) -> str:
    """The model's folder: SEGPIPE_MODEL_DIR where that is set, else the pinned revision from the Hub."""
    local = os.environ.get("SEGPIPE_MODEL_DIR")
    if local:
        return local
    from huggingface_hub import snapshot_download

    return snapshot_download(repo_id, revision=revision, ignore_patterns=["exports/*", "pictures/*"])


def _enlarged(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """The mask at [height, width]: each pixel takes the class of the pixel under its centre, as `segpipe predict` does.

    Pillow's nearest neighbour rounds otherwise where a centre lies on a border.
    """
    rows = ((np.arange(height) + 0.5) * mask.shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * mask.shape[1] / width).astype(np.intp)
    return mask[rows[:, None], columns]


def _readable(content: bytes) -> tuple[Image.Image, bytes]:
    """The picture upright in RGB, and bytes of it that TensorFlow decodes alike.

    An 8-bit JPEG or PNG goes to the model as it came; anything else is rewritten once as PNG.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
            raise BadPictureError(
                f"The picture has {image.width} × {image.height} pixels; the most is {MAX_MEGAPIXELS} megapixels. "
                "Please scale it down."
            )
        plain = (
            image.format in ("JPEG", "MPO", "PNG") and image.mode in ("RGB", "L") and "transparency" not in image.info
        )
        as_it_came = plain and image.getexif().get(EXIF_ORIENTATION, 1) in (0, 1)
        upright = _to_8_bit_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise BadPictureError("This file is no picture that can be read. Please choose a JPEG, PNG or WebP.") from None
    except Image.DecompressionBombError:
        raise BadPictureError("The picture is far too large. Please scale it down.") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, BadPictureError):
            raise
        raise BadPictureError("The picture is damaged or cut off. Please save it again and retry.") from None
    return upright, content if as_it_came else _png(upright)


def _to_8_bit_rgb(image: Image.Image) -> Image.Image:
    """As the training pictures were: the high byte of 16 bits, transparency on black."""
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        image = Image.fromarray((values >> 8 if values.max(initial=0) > 255 else values).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return image.convert("RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
