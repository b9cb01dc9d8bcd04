"""Asks a candidate the logged requests again, and shows where it answers otherwise, before traffic moves."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segpipe.errors import UserError
from segpipe.ingest.picture import open_picture
from segpipe.io import atomic
from segpipe.metrics import confusion
from segpipe.palette import overlay
from segpipe.progress import report
from segpipe.savedmodel.load import LoadedModel
from segpipe.savedmodel.native_size import at_size
from segpipe.serve import request_log as kept_requests
from segpipe.serve.request_log import Kept

_BATCH = 8
_SHOWN_SIDE = 256


@dataclass(frozen=True)
class Disagreement:
    """One kept request.

    Attributes:
      kept: what the champion answered.
      share: of the pixels to which the candidate gives another class.
      champion: its mask, uint8 [S, S].
      candidate: its mask, uint8 [S, S].
    """

    kept: Kept
    share: float
    champion: NDArray[np.uint8]
    candidate: NDArray[np.uint8]


@dataclass(frozen=True)
class Replayed:
    """What the candidate made of all kept requests.

    Attributes:
      pictures: that were sent to it.
      champion_versions: that had answered them.
      mean_share: of the pixels that change class, over all pictures.
      changes: int64 [K, K], row = champion's class, column = candidate's.
      most: the pictures that change most, the largest first.
    """

    pictures: int
    champion_versions: tuple[int, ...]
    mean_share: float
    changes: NDArray[np.int64]
    most: tuple[Disagreement, ...]


def replay(kept_dir: Path, candidate: LoadedModel, num_classes: int, shown: int = 24, since_s: float = 0.0) -> Replayed:
    """Sends every kept picture to the candidate.

    Args:
      kept_dir: where the server keeps requests, with their pictures.
      candidate: the model that may take over.
      num_classes: K.
      shown: how many of the largest disagreements to return.
      since_s: Unix time of the oldest request to send.

    Raises:
      UserError: no pictures were kept.
    """
    usable = [
        one
        for one in kept_requests.read(kept_dir, since_s)
        if one.has_picture and kept_requests.picture_path(kept_dir, one.id).is_file()
    ]
    if not usable:
        raise UserError(f"{kept_dir} holds no pictures; serve with --keep {kept_dir} --keep-pictures.")
    changes = np.zeros((num_classes, num_classes), np.int64)
    total, most = 0.0, list[Disagreement]()
    for done, one in enumerate(_compared(usable, kept_dir, candidate), start=1):
        changes += confusion.confusion_matrix(one.champion, one.candidate, num_classes)
        total += one.share
        most = sorted([*most, one], key=lambda found: -found.share)[:shown]
        report("pictures", done, len(usable))
    versions = tuple(sorted({one.version for one in usable}))
    return Replayed(len(usable), versions, total / len(usable), changes, tuple(most))


def write_page(
    replayed: Replayed,
    kept_dir: Path,
    candidate: LoadedModel,
    classes: Sequence[str],
    colors: NDArray[np.uint8],
    path: Path,
) -> None:
    """Writes a self-contained page: picture | champion | candidate, the largest disagreement first."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("segpipe.watch"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    rows = [(one, *_pictures(one, kept_dir, colors)) for one in replayed.most]
    page = environment.get_template("replay.html.j2").render(
        replayed=replayed, candidate=candidate.version, rows=rows, classes=classes, moves=_moves(replayed, classes)
    )
    atomic.write_text(path, page)


def _compared(usable: Sequence[Kept], kept_dir: Path, candidate: LoadedModel) -> Iterator[Disagreement]:
    for start in range(0, len(usable), _BATCH):
        batch = usable[start : start + _BATCH]
        data = [kept_requests.picture_path(kept_dir, one.id).read_bytes() for one in batch]
        for one, answer in zip(batch, candidate.signature().run(data), strict=True):
            theirs = answer["mask"]
            with open_picture(kept_requests.mask_path(kept_dir, one.id)) as stored:
                # A candidate of another size is compared at its own.
                champion = at_size(np.asarray(stored), *theirs.shape)
            yield Disagreement(one, float((champion != theirs).mean()), champion, theirs)


def _moves(replayed: Replayed, classes: Sequence[str]) -> list[tuple[str, str, float]]:
    """From class, to class and the share of all pixels, the largest first."""
    share = replayed.changes / max(1, replayed.changes.sum())
    moves = [
        (classes[row], classes[column], float(share[row, column]))
        for row in range(len(classes))
        for column in range(len(classes))
        if row != column and share[row, column] > 0
    ]
    return sorted(moves, key=lambda move: -move[2])[:10]


def _pictures(one: Disagreement, kept_dir: Path, colors: NDArray[np.uint8]) -> tuple[str, str, str]:
    """Picture, champion's and candidate's overlay as data URLs."""
    with open_picture(kept_requests.picture_path(kept_dir, one.kept.id)) as opened:
        image = opened.convert("RGB")
    image.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    pixels = np.asarray(image)

    def painted(mask: NDArray[np.uint8]) -> str:
        return _url(Image.fromarray(overlay(pixels, at_size(mask, image.height, image.width), colors=colors)))

    return _url(image), painted(one.champion), painted(one.candidate)


def _url(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
