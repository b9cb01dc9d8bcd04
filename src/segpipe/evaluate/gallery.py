"""Chooses the few test pictures that the report shows, by their counts, and predicts them once more."""

from collections.abc import Iterable
from itertools import chain

import numpy as np

from segpipe import schema
from segpipe.evaluate import selection
from segpipe.evaluate.picture_table import PictureTable
from segpipe.evaluate.report import Gallery, Sample
from segpipe.ingest import example, example_files
from segpipe.metrics import confusion
from segpipe.preprocess import pictures
from segpipe.savedmodel.load import LoadedModel


def choose(
    model: LoadedModel, shards: Iterable[str], table: PictureTable, how_many: int = 8, of_each_class: int = 2
) -> Gallery:
    """Finds the pictures worth a look and predicts those alone; memory holds the chosen ones.

    Args:
      model: that counted.
      shards: TFRecord files of the Examples in `table`.
      table: the counts.
      how_many: worst and typical pictures, of each.
      of_each_class: pictures of each class; at most eight classes, those with the lowest IoU.
    """
    iou = confusion.class_iou_of_margins(table.candidate.sum(axis=0))
    weakest = np.argsort(iou)[:8].tolist()  # NaN, a class that does not occur, comes last.
    worst = selection.worst(table.candidate, how_many)
    typical = selection.representative(table.candidate, how_many)
    by_class = {
        model.classes[class_id]: selection.worst_of_class(table.candidate, class_id, of_each_class)
        for class_id in sorted(weakest)
    }
    scores = confusion.mean_iou_of_margins(table.candidate)
    wanted = {table.ids[i]: float(scores[i]) for i in chain(worst, typical, *by_class.values())}
    shown = _samples(model, shards, wanted)

    def of(positions: list[int]) -> list[Sample]:
        return [shown[table.ids[i]] for i in positions]

    return Gallery(of(worst), of(typical), {name: of(chosen) for name, chosen in by_class.items() if chosen})


def _samples(model: LoadedModel, shards: Iterable[str], scores: dict[str, float]) -> dict[str, Sample]:
    found: dict[str, tuple[bytes, bytes]] = {}
    for serialized in chain.from_iterable(map(example_files.read, shards)):
        features = example.decode(serialized)
        picture_id = features[schema.ID][0].decode("utf-8", "replace")
        if picture_id in scores:
            found[picture_id] = features[schema.IMAGE][0], features[schema.MASK][0]
        if len(found) == len(scores):
            break
    if not found:
        return {}
    masks = model.signature().run_batch([image for image, _ in found.values()])["mask"]
    size = model.image_size
    return {
        picture_id: Sample(
            id=picture_id,
            image=pictures.resize_image(pictures.decode_image(image), size).numpy(),
            truth=pictures.resize_mask(pictures.decode_mask(truth), size).numpy(),
            prediction=predicted,
            mean_iou=scores[picture_id],
        )
        for (picture_id, (image, truth)), predicted in zip(found.items(), masks, strict=True)
    }
