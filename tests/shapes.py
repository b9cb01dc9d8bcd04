"""Pictures with known masks for whole-pipeline tests: a red disk or a blue square on grey noise."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("ground", "disk", "square")


def draw(rng: np.random.Generator, width: int, height: int) -> tuple[Image.Image, Image.Image]:
    """One RGB picture and its mask, mode L, class ids 0…2."""
    image = Image.fromarray(np.clip(rng.normal(120, 20, (height, width, 3)), 0, 255).astype(np.uint8))
    mask = Image.new("L", (width, height), 0)
    on_image, on_mask = ImageDraw.Draw(image), ImageDraw.Draw(mask)
    for class_id, colour in ((1, (220, 30, 30)), (2, (30, 30, 220))):
        radius = int(rng.integers(min(width, height) // 6, min(width, height) // 4))
        x, y = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
        box = (x - radius, y - radius, x + radius, y + radius)
        if class_id == 1:
            on_image.ellipse(box, fill=colour)
            on_mask.ellipse(box, fill=class_id)
        else:
            on_image.rectangle(box, fill=colour)
            on_mask.rectangle(box, fill=class_id)
    return image, mask


def write_folder(folder: Path, count: int, width: int = 72, height: int = 56, seed: int = 0) -> Path:
    """Writes images/NNN.jpg and masks/NNN.png."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in range(count):
        image, mask = draw(rng, width, height)
        image.save(folder / "images" / f"{number:03d}.jpg", quality=92)
        mask.save(folder / "masks" / f"{number:03d}.png")
    return folder
