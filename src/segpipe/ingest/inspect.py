"""Finds out what `segpipe init` has to know of a folder of images and masks: sizes, mask values, likely classes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.ingest import encode, masks, pairing, picture
from segpipe.ingest.mask_census import MaskCensus
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
      ignored_share: share of all pixels that have one of them.
      image_regex: matches the images' paths, if names differ by more than their suffix.
      mask_regex: the same for masks.
    """

    images: str
    masks: str
    pictures: int
    width: int
    height: int
    class_share: dict[int, float]
    ignore_values: tuple[int, ...]
    ignored_share: float
    image_regex: str = ""
    mask_regex: str = ""

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


def inspect(config: Config, ignore: tuple[int, ...] | None = None, threshold: int = 0) -> Findings:
    """Looks at the pairs of a folder source: up to 1,000 masks, spread evenly, and the headers of their images.

    Args:
      config: whose source is looked at.
      ignore: values that are ignored, as a person says; None to go by what 255 looks like.
      threshold: from which value on a pixel is the object, as a person says; 0 if the masks hold class values.

    Raises:
      DataError: images and masks do not pair up, two masks contradict each other, or the masks hold no classes.
    """
    config = pairing.guess(config)
    records = folder.records(config)
    step = max(1, len(records) // _MASKS_LOOKED_AT)
    sizes, census = [], MaskCensus()
    for record in records[::step]:
        data, path = encode.content(record.mask, record.id, "mask")
        mask = picture.upright(picture.load(data, path, config.source.max_megapixels))
        try:
            values = masks.stored_values(mask)
            census.add(path, mask, values.point([int(v >= threshold) for v in range(256)]) if threshold else values)
        except ValueError as error:
            raise DataError(f"{path} {error}") from None
        sizes.append(mask.size)
    if problem := census.disagreement():
        raise DataError(problem)
    if census.soft_edge():
        raise DataError(_too_many(census.values, census))
    ignored = _ignored(census) if ignore is None else ignore
    classes = [value for value in census.values if value not in ignored]
    if len(classes) < 2:
        raise DataError(
            f"only the value {', '.join(map(str, classes)) or 'none'} is in the masks; a segmentation has at least two "
            "classes."
        )
    if len(classes) > _MOST_CLASSES_GUESSED:
        raise DataError(_too_many(classes, census))
    judged = sum(census.pixels[value] for value in classes)
    return Findings(
        images=folder.images_folder(config),
        masks=folder.masks_folder(config),
        pictures=len(records),
        width=_median([width for width, _ in sizes]),
        height=_median([height for _, height in sizes]),
        class_share={value: census.pixels[value] / judged for value in classes},
        ignore_values=ignored,
        image_regex=config.source.image_regex,
        mask_regex=config.source.mask_regex,
        ignored_share=1 - judged / sum(census.pixels),
    )


def _ignored(census: MaskCensus) -> tuple[int, ...]:
    """255, if it is drawn as borders are.

    Raises:
      DataError: 255 may be a class as well: it covers areas, not borders.
    """
    if schema.IGNORE not in census.values or census.values == [0, schema.IGNORE]:
        return ()
    if census.looks_like_a_border():
        return (schema.IGNORE,)
    share = census.pixels[schema.IGNORE] / sum(census.pixels)
    raise DataError(
        f"255 covers {share:.1%} of the pixels, in areas and not in borders: is it a class, or is it to be ignored? "
        "Say --ignore 255, or --ignore none for a class."
    )


def _too_many(classes: Sequence[int], census: MaskCensus) -> str:
    values = first_five([str(value) for value in classes])
    if soft := census.soft_edge():
        low, high, between = soft
        return (
            f"the masks hold {len(classes)} different values ({values}), but only {between:.1%} of the pixels lie "
            f"between {low} and {high}: a soft edge. Say --mask-threshold {(low + high + 1) // 2}: values from there "
            "on are the object."
        )
    return (
        f"the masks hold {len(classes)} different values ({values}); they look like pictures, not like class values. "
        "JPEG masks must be made again as PNG."
    )


def _median(values: Sequence[int]) -> int:
    return round(statistics.median(values))
