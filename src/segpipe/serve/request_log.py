"""Logs answered requests in a folder: the memory of `segpipe watch` and `segpipe replay`.

One JSON line per picture in `YYYY-MM-DD.jsonl`; with pictures, the encoded picture and the predicted mask beside it in
`pictures/ID.bin` and `pictures/ID.png`. Lines are only appended, so a killed server leaves at most one torn line.
"""

import json
import logging
import queue
import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from segpipe.ingest import picture, statistics

if TYPE_CHECKING:
    from segpipe.savedmodel.load import LoadedModel, Outputs

_log = logging.getLogger(__name__)
_QUEUE = 256
_SWEEP_S = 60.0


@dataclass(frozen=True)
class Kept:
    """What is kept of one answered picture.

    Attributes:
      id: unique; names the picture's files, and the mask that a person may draw for it later.
      at_s: Unix time of the answer.
      version: of the model that answered.
      statistics: brightness, contrast, saturation, sharpness, height, width.
      class_fraction: predicted share of pixels per class.
      confidence: mean over the pixels of the highest softmax.
      has_picture: whether the picture itself was kept.
      embedding: what the model's encoder made of it, D numbers; empty for a model that does not tell.
    """

    id: str
    at_s: float
    version: int
    statistics: dict[str, float]
    class_fraction: tuple[float, ...]
    confidence: float
    has_picture: bool = False
    embedding: tuple[float, ...] = ()


@dataclass(frozen=True)
class Retention:
    """When kept requests are deleted: the oldest first, above `max_mb` in all or after `max_days`."""

    max_mb: float = 1000.0
    max_days: float = 30.0


def rounded(embedding: Iterable[float]) -> tuple[float, ...]:
    """Numbers as they are kept, with 5 significant digits; whoever compares them must round alike."""
    return tuple(float(f"{value:.5g}") for value in embedding)


class Keeper:
    """Keeps a sample on a thread of its own; a request never waits for it."""

    def __init__(self, folder: Path, share: float, pictures: bool, retention: Retention, seed: int | None = None):
        """Keeps into `folder`.

        Args:
          folder: made if it is not there.
          share: of the answered pictures, 0…1.
          pictures: keep the pictures and predicted masks too. Ask the people on them first.
          retention: when the oldest are deleted.
          seed: of the sample; None draws one.
        """
        self._folder = folder
        self._share = share
        self._pictures = pictures
        self._retention = retention
        self._random = random.Random(seed)  # noqa: S311 — a sample, not a secret.
        self._queue: queue.Queue[tuple[float, LoadedModel, bytes, Outputs] | None] = queue.Queue(_QUEUE)
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Writes what is queued."""
        self._queue.put(None)
        self._thread.join()

    def offer(self, model: "LoadedModel", pictures: Sequence[bytes], predictions: "Sequence[Outputs]") -> None:
        """Takes its share of one answered request; drops it where the disk is slower than the requests."""
        for data, prediction in zip(pictures, predictions, strict=True):
            if self._random.random() < self._share:
                try:
                    self._queue.put_nowait((time.time(), model, data, prediction))
                except queue.Full:
                    return

    def flush(self) -> None:
        """Waits until everything offered is written; not for a server, whose requests must not wait."""
        self._queue.join()

    def _work(self) -> None:
        swept_s = 0.0
        while (taken := self._queue.get()) is not None:
            try:
                self._keep(*taken)
                if time.monotonic() - swept_s > _SWEEP_S:
                    sweep(self._folder, self._retention)
                    swept_s = time.monotonic()
            except Exception as error:  # A full disk or memory: the server goes on answering, and tries the next.
                _log.warning("Could not keep a request in %s: %s", self._folder, error)
            finally:
                self._queue.task_done()
        sweep(self._folder, self._retention)

    def _keep(self, at_s: float, model: "LoadedModel", data: bytes, prediction: "Outputs") -> None:
        with picture.open_picture(data) as opened:
            upright = picture.to_8_bit(opened)
        kept = Kept(
            id=f"{int(at_s)}-{uuid.uuid4().hex[:12]}",
            at_s=at_s,
            version=model.version,
            statistics={**statistics.of(upright), "height": upright.height, "width": upright.width},
            class_fraction=tuple(float(share) for share in prediction["class_fraction"]),
            confidence=float(prediction["confidence"]),
            has_picture=self._pictures,
            embedding=rounded(model.embed([data])[0]),
        )
        if self._pictures:
            (self._folder / "pictures").mkdir(exist_ok=True)
            picture_path(self._folder, kept.id).write_bytes(data)
            mask_path(self._folder, kept.id).write_bytes(picture.png(Image.fromarray(np.asarray(prediction["mask"]))))
        day = time.strftime("%Y-%m-%d", time.gmtime(at_s))
        with (self._folder / f"{day}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(kept)) + "\n")


def picture_path(folder: Path, kept_id: str) -> Path:
    """Where the encoded picture of a kept request lies."""
    return folder / "pictures" / f"{kept_id}.bin"


def mask_path(folder: Path, kept_id: str) -> Path:
    """Where the mask that the model predicted for a kept request lies; PNG of class ids, at the model's size."""
    return folder / "pictures" / f"{kept_id}.png"


def read(folder: Path, since_s: float = 0.0) -> Iterator[Kept]:
    """Yields what was kept since a time, oldest day first; a line that a killed server left torn is skipped."""
    for day in sorted(folder.glob("*.jsonl")):
        for line in day.read_text(encoding="utf-8").splitlines():
            try:
                kept = Kept(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            if kept.at_s >= since_s:
                yield kept


def sweep(folder: Path, retention: Retention) -> None:
    """Deletes what is too old, and the oldest beyond the size: pictures first, then days, but never the newest day."""
    oldest_s = time.time() - retention.max_days * 86400
    size = 0
    for newer, day in enumerate(sorted(folder.glob("*.jsonl"), reverse=True)):
        stat = day.stat()
        if stat.st_mtime < oldest_s or (newer and size + stat.st_size > retention.max_mb * 1e6):
            day.unlink()
        else:
            size += stat.st_size
    newest_first = sorted(((file.stat(), file) for file in folder.glob("pictures/*")), key=lambda f: -f[0].st_mtime)
    for stat, file in newest_first:
        size += stat.st_size
        if stat.st_mtime < oldest_s or size > retention.max_mb * 1e6:
            file.unlink(missing_ok=True)
