"""A folder of images and masks in, what `segpipe init` has to know of it out: sizes, mask values, likely classes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import encode, masks, picture
from segpipe.ingest.sources import folder
from segpipe.text import first_five

_MASKS_LOOKED_AT = 1000
_MOST_CLASSES_GUESSED = 64


@dataclass(frozen=True)
class Findings:
    """What a data set looks like.

    Attributes:
      images: folder of the images, relative to the data set.
      masks: folder of the masks.
      pictures: number of pairs.
      width: median, in pixels.
      height: median, in pixels.
      class_share: share of the judged pixels by mask value.
      ignore_values: values that mean "not judged".
    """

    images: str
    masks: str
    pictures: int
    width: int
    height: int
    class_share: dict[int, float]
    ignore_values: tuple[int, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """The mask values that are classes, ascending."""
        return tuple(self.class_share)

    @property
    def likely_classes(self) -> tuple[str, ...]:
        """Names to start from where nobody gave any."""
        if self.values in ((0, 1), (0, 255)):
            return ("background", "object")
        return tuple(f"class_{value}" for value in self.values)


def inspect(config: Config) -> Findings:
    """Looks at the pairs of a folder source: up to 1,000 masks, spread evenly, and the headers of their images.

    Raises:
      DataError: images and masks do not pair up, or the masks hold no classes.
    """
    records = folder.records(config)
    step = max(1, len(records) // _MASKS_LOOKED_AT)
    sizes, totals = [], [0] * 256
    for record in records[::step]:
        data, path = encode.content(record.mask, record.id, "mask")
        mask = picture.load(data, path, config.source.max_megapixels)
        try:
            values = masks.stored_values(mask)
        except ValueError as error:
            raise DataError(f"{path} {error}") from None
        totals = [total + here for total, here in zip(totals, values.histogram(), strict=True)]
        sizes.append(mask.size)
    found = [value for value, total in enumerate(totals) if total]
    ignored = tuple(value for value in found if value == schema.IGNORE and found != [0, schema.IGNORE])
    classes = [value for value in found if value not in ignored]
    if len(classes) < 2:
        raise DataError(f"the masks hold the value {classes} alone; a segmentation has at least two classes.")
    if len(classes) > _MOST_CLASSES_GUESSED:
        raise DataError(
            f"the masks hold {len(classes)} different values ({first_five([str(value) for value in classes])}); "
            "they look like pictures, not like class values. JPEG masks must be made again as PNG."
        )
    judged = sum(totals[value] for value in classes)
    return Findings(
        images=folder.images_folder(config),
        masks=folder.masks_folder(config),
        pictures=len(records),
        width=_median([width for width, _ in sizes]),
        height=_median([height for _, height in sizes]),
        class_share={value: totals[value] / judged for value in classes},
        ignore_values=ignored,
    )


def _median(values: Sequence[int]) -> int:
    return round(statistics.median(values))
