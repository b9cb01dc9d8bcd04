"""Small pictures, masks and data sets on disk for the tests of ingest and of the verbs that use it."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from segpipe.config import Config


def image(seed: int = 0, size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A smooth RGB picture, (width, height), that JPEG keeps nearly as it is."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def mask(size: tuple[int, int] = (24, 16), values: tuple[int, ...] = (0, 1)) -> Image.Image:
    """Vertical stripes, one per value."""
    columns = np.arange(size[0]) * len(values) // size[0]
    return Image.fromarray(np.tile(np.array(values, np.uint8)[columns], (size[1], 1)))


def encoded(picture: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, image_format, **options)
    return stream.getvalue()


def write_folder(root: Path, names: int | Sequence[str] = 30, values: tuple[int, ...] = (0, 1)) -> Path:
    """Writes images/NAME.jpg and masks/NAME.png, p00 and so on where only a number is given."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate([f"p{i:02d}" for i in range(names)] if isinstance(names, int) else names):
        for folder in ("images", "masks"):
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{name}.jpg").write_bytes(encoded(image(index), "JPEG", quality=95))
        (root / "masks" / f"{name}.png").write_bytes(encoded(mask(values=values)))
    return root


def config(root: Path | str, **sections: object) -> Config:
    """A config whose source is `root`; a section given replaces single keys of the default one."""
    settings: dict = {
        "name": "test",
        "source": {"path": str(root)},
        "data": {"classes": ("background", "object")},
    }
    for name, keys in sections.items():
        settings[name] = {**settings.get(name, {}), **keys} if isinstance(keys, dict) else keys
    return Config.model_validate(settings)
