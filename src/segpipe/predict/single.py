"""Picture files in, a mask and an overlay of each picture's own size out."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.errors import DataError
from segpipe.ingest import picture
from segpipe.io import files
from segpipe.palette import overlay
from segpipe.predict.listing import Listed
from segpipe.progress import report

if TYPE_CHECKING:  # TensorFlow's import takes seconds.
    from segpipe.savedmodel.predictor import Predictor

BATCH = 8


@dataclass(frozen=True)
class Written:
    """What was written for one picture."""

    source: Path
    mask: Path
    overlay: Path


def predict(
    predictor: "Predictor", pictures: Sequence[Listed], out_dir: Path, max_megapixels: float = 100.0
) -> Iterator[Written]:
    """Predicts pictures and writes, for each, ID.mask.png and ID.overlay.png.

    A mask holds class ids as values and the model's colours as palette; a file is there whole or not at all.

    Args:
      predictor: the loaded model.
      pictures: of `listing`, local ones.
      out_dir: is made if it is not there, and in it the folders that an id names.
      max_megapixels: larger pictures are refused by their header.

    Yields:
      One value per picture, once its files are there.

    Raises:
      DataError: a picture cannot be read; the ones before it are done.
    """
    colors = np.asarray(predictor.metadata["palette"], np.uint8)
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        encoded, images = zip(*(_read(Path(one.path), max_megapixels) for one in batch), strict=True)
        for one, image, mask in zip(batch, images, predictor.predict(encoded), strict=True):
            written = Written(Path(one.path), out_dir / f"{one.id}.mask.png", out_dir / f"{one.id}.overlay.png")
            _save(_with_palette(mask, colors), written.mask)
            _save(Image.fromarray(overlay(np.asarray(image.convert("RGB")), mask, colors=colors)), written.overlay)
            yield written
        report("pictures", start + len(batch), len(pictures))


def _read(file: Path, max_megapixels: float) -> tuple[bytes, Image.Image]:
    """Bytes for the model, and the upright picture: 8 bit, RGB or grey, as ingest would store it."""
    try:
        encoded = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}.") from None
    decoded = picture.load(encoded, str(file), max_megapixels)
    return picture.storable(encoded, decoded)


def _with_palette(mask: NDArray[np.uint8], colors: NDArray[np.uint8]) -> Image.Image:
    image = Image.frombytes("P", mask.shape[::-1], mask.tobytes())
    image.putpalette(colors.ravel().tolist())
    return image


def _save(image: Image.Image, path: Path) -> None:
    """Writes a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    with files.open_to_write(str(path)) as stream:
        stream.write(buffer.getvalue())
