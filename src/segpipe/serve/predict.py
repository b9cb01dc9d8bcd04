"""Picture files in, a mask and an overlay of each picture's own size out."""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.errors import DataError, UserError
from segpipe.ingest import picture
from segpipe.preprocess.palette import overlay
from segpipe.progress import report

if TYPE_CHECKING:  # TensorFlow's import takes seconds; a wrong file name is told before it.
    from segpipe.serve.predictor import Predictor

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
BATCH = 8


@dataclass(frozen=True)
class Written:
    """What was written for one picture."""

    source: Path
    mask: Path
    overlay: Path


def predict(
    predictor: "Predictor", sources: Sequence[str], out_dir: Path, max_megapixels: float = 100.0
) -> Iterator[Written]:
    """Predicts pictures and writes, for each, NAME.mask.png and NAME.overlay.png.

    A mask holds class ids as values and the model's colours as palette; a file is there whole or not at all.

    Args:
      predictor: the loaded model.
      sources: files in any common format, folders of such, or patterns such as "photos/*.jpg".
      out_dir: is made if it is not there.
      max_megapixels: larger pictures are refused by their header.

    Yields:
      One value per picture, once its files are there.

    Raises:
      UserError: no picture is found, or two would be written to the same file.
      DataError: a picture cannot be read; the ones before it are done.
    """
    files = find(sources)
    colors = np.asarray(predictor.metadata["palette"], np.uint8)
    out_dir.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        encoded, images = zip(*(_read(file, max_megapixels) for file in batch), strict=True)
        for file, image, mask in zip(batch, images, predictor.predict(encoded), strict=True):
            written = Written(file, out_dir / f"{file.stem}.mask.png", out_dir / f"{file.stem}.overlay.png")
            _save(_with_palette(mask, colors), written.mask)
            _save(Image.fromarray(overlay(np.asarray(image.convert("RGB")), mask, colors=colors)), written.overlay)
            yield written
        report("pictures", start + len(batch), len(files))


def find(sources: Iterable[str]) -> list[Path]:
    """Lists the picture files that files, folders and patterns name, each once.

    Raises:
      UserError: one names nothing, or two files have the same name up to the suffix.
    """
    files: dict[Path, None] = {}
    for source in sources:
        path = Path(source)
        if path.is_file():
            found = [path]
        else:
            folder, pattern = (path, "*") if path.is_dir() else (path.parent, path.name)
            found = sorted(p for p in folder.glob(pattern) if p.is_file() and p.suffix.lower() in SUFFIXES)
        if not found:
            there = "" if path.is_dir() or "*" in source else " there is no such file;"
            raise UserError(f"no picture: {source};{there} known formats are {', '.join(sorted(SUFFIXES))}.")
        files.update(dict.fromkeys(found))
    names: dict[str, Path] = {}
    for file in files:
        if file.stem in names:
            raise UserError(f"{names[file.stem]} and {file} would be written to the same files; predict them apart.")
        names[file.stem] = file
    return list(files)


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
    """Writes a PNG aside and renames it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    aside.write_bytes(buffer.getvalue())
    aside.rename(path)
