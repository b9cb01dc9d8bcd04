"""Renders one predicted mask as the files and table lines that a person asked for."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.errors import UserError
from segpipe.ingest import picture
from segpipe.palette import overlay
from segpipe.predict import shapes


@dataclass(frozen=True)
class Predicted:
    """One picture and what the model says of it.

    Attributes:
      id: the picture's path below the folder that was asked for, without suffix.
      number: of the picture in the listing, from 0; COCO's image id.
      image: uint8 [H, W, 3].
      mask: uint8 [H, W], class ids at the picture's own size.
      confidence: mean of the highest softmax, 0…1.
    """

    id: str
    number: int
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    confidence: float


@dataclass(frozen=True)
class Rendered:
    """What one picture adds to the output.

    Attributes:
      files: content by path below the output folder.
      lines: lines by table: "classes.csv", "coco.annotations", "coco.images", "polygons".
    """

    files: dict[str, bytes] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)


Classes = Sequence[str]
Colors = NDArray[np.uint8]


def render(predicted: Predicted, formats: Sequence[str], classes: Classes, colors: Colors) -> Rendered:
    """Renders one prediction in every format of `formats`; "classes.csv" always comes with it."""
    rendered = Rendered(lines={"classes.csv": [_csv_line(predicted, len(classes))]})
    for name in formats:
        one = FORMATS[name](predicted, classes, colors)
        rendered.files.update(one.files)
        rendered.lines.update(one.lines)
    return rendered


def csv_head(classes: Classes) -> str:
    """The first line of "classes.csv"."""
    return _csv(["id", "height", "width", "confidence", *classes])


def check_formats(formats: Sequence[str]) -> None:
    """Checks the names.

    Raises:
      UserError: a name is unknown.
    """
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"there is no format {name!r}; there are {', '.join(FORMATS)}.")


def _masks(predicted: Predicted, classes: Classes, colors: Colors) -> Rendered:
    image = Image.fromarray(predicted.mask, "P")
    image.putpalette(colors.ravel().tolist())
    return Rendered(files={f"masks/{predicted.id}.png": picture.png(image)})


def _overlays(predicted: Predicted, classes: Classes, colors: Colors) -> Rendered:
    painted = Image.fromarray(overlay(predicted.image, predicted.mask, colors=colors))
    stream = io.BytesIO()
    painted.save(stream, "JPEG", quality=90)
    return Rendered(files={f"overlays/{predicted.id}.jpg": stream.getvalue()})


def _coco(predicted: Predicted, classes: Classes, colors: Colors) -> Rendered:
    """One annotation per class that is in the picture; ids stay unique however the work is shared out."""
    height, width = predicted.mask.shape
    image = {"id": predicted.number, "file_name": predicted.id, "height": height, "width": width}
    annotations = []
    for class_id in np.unique(predicted.mask).tolist():
        region = predicted.mask == class_id
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        annotations.append(
            {
                "id": predicted.number * 256 + class_id,
                "image_id": predicted.number,
                "category_id": class_id,
                "segmentation": shapes.rle(region),
                "area": int(region.sum()),
                "bbox": [
                    int(columns[0]),
                    int(rows[0]),
                    int(columns[-1] - columns[0] + 1),
                    int(rows[-1] - rows[0] + 1),
                ],
                "iscrowd": 1,
            }
        )
    return Rendered(
        lines={"coco.annotations": [json.dumps(one) for one in annotations], "coco.images": [json.dumps(image)]}
    )


def _polygons(predicted: Predicted, classes: Classes, colors: Colors) -> Rendered:
    """GeoJSON features in pixels, y down, one per class that is in the picture."""
    features = []
    for class_id in np.unique(predicted.mask).tolist():
        regions = shapes.polygons(predicted.mask == class_id)
        properties = {"id": predicted.id, "class": classes[class_id], "class_id": class_id}
        geometry = {"type": "MultiPolygon", "coordinates": regions}
        features.append(json.dumps({"type": "Feature", "properties": properties, "geometry": geometry}))
    return Rendered(lines={"polygons": features})


def _csv_line(predicted: Predicted, num_classes: int) -> str:
    shares = np.bincount(predicted.mask.ravel(), minlength=num_classes) / predicted.mask.size
    height, width = predicted.mask.shape
    return _csv([predicted.id, height, width, f"{predicted.confidence:.6f}", *(f"{share:.6f}" for share in shares)])


def _csv(values: Sequence[object]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(values)
    return stream.getvalue()


FORMATS: dict[str, Callable[[Predicted, Classes, Colors], Rendered]] = {
    "masks": _masks,
    "overlays": _overlays,
    "coco": _coco,
    "polygons": _polygons,
}

DEFAULT_FORMATS = ("masks", "overlays")
"""What is written if no format is asked for."""
