"""Predicts the pictures of a listing and writes files; memory does not grow with their number."""

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from segpipe.errors import UserError
from segpipe.ingest import picture
from segpipe.io import files
from segpipe.predict import rendering
from segpipe.predict.listing import Listed
from segpipe.progress import report
from segpipe.savedmodel.load import LoadedModel, Outputs
from segpipe.savedmodel.native_size import at_size
from segpipe.savedmodel.picture import Accepted, accept
from segpipe.savedmodel.request_error import RequestError
from segpipe.serve.batching import Batcher, BatchLimits

_FAILED = "failed.txt"
_READERS = 8
_WINDOW = 64
"""Pictures that are read, waiting or being drawn at one time."""
_LIMITS = BatchLimits(max_waiting=_WINDOW, max_waiting_mb=math.inf)
"""Of the batcher, which turns nothing away: the window bounds what waits."""


@dataclass
class Account:
    """What became of the pictures.

    Attributes:
      done: how many were predicted.
      failed: one sentence for each that was not.
    """

    done: int = 0
    failed: list[str] = field(default_factory=list)


def predict(
    model: LoadedModel,
    pictures: Sequence[Listed],
    output: str,
    formats: Sequence[str],
    max_megapixels: float,
    workers: int = 2,
) -> Account:
    """Predicts every picture and writes `output`: the formats' files, classes.csv and, where some fail, failed.txt.

    Args:
      model: what predicts.
      pictures: of `listing.listing`.
      output: folder or URL.
      formats: names in `rendering.FORMATS`.
      max_megapixels: larger pictures fail.
      workers: batches that run at once.

    Raises:
      UserError: a format is unknown.
    """
    rendering.check_formats(formats)
    classes, colors = model.classes, model.colors
    account = Account()
    with Batcher(workers, _LIMITS) as batcher, Tables(output, classes, formats) as tables:
        for listed, outcome in _predictions(model, pictures, batcher, max_megapixels):
            if isinstance(outcome, str):
                account.failed.append(outcome)
            else:
                rendered = rendering.render(predicted(listed, *outcome), formats, classes, colors)
                for path, content in rendered.files.items():
                    with files.open_to_write(f"{output}/{path}") as stream:
                        stream.write(content)
                tables.add(rendered.lines)
                account.done += 1
            report("pictures", account.done + len(account.failed), len(pictures))
    write_failed(account.failed, output)
    return account


def write_failed(failed: Sequence[str], output: str) -> None:
    """Writes failed.txt, one line per picture; an earlier one goes if no picture failed."""
    path = files.join(output, _FAILED)
    if failed:
        with files.open_to_write(path) as stream:
            stream.write(("\n".join(failed) + "\n").encode())
    elif files.exists(path):
        files.remove(path)


def read_picture(listed: Listed, max_megapixels: float) -> Accepted:
    """Reads one picture and checks it.

    Raises:
      UserError: it cannot be read or is no picture; the sentence names it.
    """
    name = files.shown(listed.path)
    try:
        data = files.read(listed.path)
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror or type(error).__name__}.") from None
    return accept(data, max_megapixels, name, "--max-megapixels")


def predicted(listed: Listed, encoded: bytes, outputs: Outputs) -> rendering.Predicted:
    """The prediction at the picture's own size, see `native_size`."""
    with picture.open_picture(encoded) as opened:
        image = np.asarray(opened.convert("RGB"))
    height, width = image.shape[:2]
    mask = at_size(outputs["mask"], height, width)
    return rendering.Predicted(listed.id, listed.number, image, mask, float(outputs["confidence"]))


class Tables:
    """The files that hold all pictures, written line by line and whole under their names at the end."""

    def __init__(self, output: str, classes: Sequence[str], formats: Sequence[str]):
        categories = json.dumps([{"id": number, "name": name} for number, name in enumerate(classes)])
        heads = {"classes.csv": rendering.csv_head(classes)}
        self._tails = {"classes.csv": "\n"}
        if "polygons" in formats:
            heads["polygons.geojson"] = '{"type": "FeatureCollection", "features": [\n'
            self._tails["polygons.geojson"] = "\n]}\n"
        if "coco" in formats:
            heads["coco.json"] = f'{{"categories": {categories},\n"annotations": [\n'
        self._output = output
        self._heads = heads
        self._first = dict.fromkeys(heads, True)
        self._coco_images: list[str] = []
        self._stack = ExitStack()
        self._streams: dict[str, IO[bytes]] = {}

    def __enter__(self) -> "Tables":
        for name, head in self._heads.items():
            self._streams[name] = self._stack.enter_context(files.open_to_write(f"{self._output}/{name}"))
            self._streams[name].write(head.encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self._tails["coco.json"] = '\n],\n"images": [\n' + ",\n".join(self._coco_images) + "\n]}\n"
            for name, stream in self._streams.items():
                stream.write(self._tails[name].encode())
        self._stack.__exit__(kind, error, trace)  # type: ignore[arg-type]

    def add(self, lines: dict[str, list[str]]) -> None:
        """Appends what one picture adds."""
        self._append("classes.csv", lines["classes.csv"], "\n", before_first="\n")
        self._append("polygons.geojson", lines.get("polygons", []), ",\n")
        self._append("coco.json", lines.get("coco.annotations", []), ",\n")
        self._coco_images += lines.get("coco.images", [])

    def _append(self, name: str, lines: Iterable[str], separator: str, before_first: str = "") -> None:
        for line in lines:
            self._streams[name].write(((before_first if self._first[name] else separator) + line).encode())
            self._first[name] = False


def _predictions(
    model: LoadedModel, pictures: Sequence[Listed], batcher: Batcher, max_megapixels: float
) -> Iterator[tuple[Listed, tuple[bytes, Outputs] | str]]:
    """Each picture with its encoded form and prediction, or with why there is none, in the listing's order."""
    signature = model.signature()

    def start(listed: Listed) -> tuple[bytes, "Future[Outputs]"]:
        accepted = read_picture(listed, max_megapixels)
        [future] = batcher.submit(signature, [(accepted.encoded, accepted.pixels)])
        return accepted.encoded, future

    with ThreadPoolExecutor(_READERS) as pool:
        window: deque[tuple[Listed, Future[tuple[bytes, Future[Outputs]]]]] = deque()
        following = iter(pictures)
        while True:
            while len(window) < _WINDOW and (listed := next(following, None)) is not None:
                window.append((listed, pool.submit(start, listed)))
            if not window:
                return
            listed, started = window.popleft()
            try:
                encoded, future = started.result()
                yield listed, (encoded, future.result())
            except RequestError as error:
                sentence, name = str(error), files.shown(listed.path)
                yield listed, sentence if sentence.startswith(name) else f"{name}: {sentence}"
            except UserError as error:
                yield listed, str(error)
