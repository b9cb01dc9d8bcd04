"""Makes two spans of rolling data from a source: pictures as they are, then harder ones or an unseen kind.

`after-1/span-1` is what has arrived when the first model is trained; `after-2` holds span 1 and span 2. Each picture
keeps the split that the source gives it, so what is tested on was never trained on, in either span.
"""

import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from segpipe import schema
from segpipe.config import Config
from segpipe.config.source import Source, Split
from segpipe.drill import corruptions
from segpipe.errors import DataError
from segpipe.ingest import example, sources
from segpipe.ingest.encode import encode
from segpipe.ingest.picture import BadPictureError, open_picture
from segpipe.ingest.record import Record
from segpipe.ingest.splits import unit_hash
from segpipe.io import tfrecord
from segpipe.progress import report

_SEED = 20190328  # of the draw which half a picture is in, and of its corruption


@dataclass(frozen=True)
class Spans:
    """Where the spans lie.

    Attributes:
      first: config whose source is span 1 alone.
      both: config whose source is spans 1 and 2.
      folder: of the files; its name tells what they were made of.
    """

    first: Config
    both: Config
    folder: Path

    def examples(self, span: int, split: str) -> list[bytes]:
        """Serialized Examples of a split of span 1, span 2, or 0: others as in span 1, which trained nothing yet."""
        with (self.folder / _NAMES[span] / f"{split}.tfrecord").open("rb") as stream:
            return list(tfrecord.read(stream, stream.name))


_NAMES = {0: "clean-2", 1: "after-1/span-1", 2: "after-2/span-2"}


def write(config: Config, folder: Path) -> Spans:
    """Writes the spans, unless an earlier call finished them.

    Args:
      config: of the run; its source is read once, its [drill] says what happens to span 2.
      folder: of the spans.

    Raises:
      DataError: the source is wrong, or a span has no picture in some split.
    """
    corruptions.check_names(config.drill.corruptions)
    folder = folder / _digest(config)
    plain = config.model_copy(
        update={
            "data": config.data.model_copy(update={"mask_values": (), "ignore_values": (schema.IGNORE,), **_NO_COLORS}),
            "split": Split(),
        }
    )
    spans = Spans(_reading(plain, folder / "after-1"), _reading(plain, folder / "after-2"), folder)
    done = folder / "done"
    if done.exists():
        return spans
    shutil.rmtree(folder, ignore_errors=True)
    counts: dict[tuple[int, str], int] = {}
    with ExitStack() as stack:
        streams = {}
        for span, name in _NAMES.items():
            (folder / name).mkdir(parents=True)
            for split in schema.SPLITS:
                streams[span, split] = stack.enter_context((folder / name / f"{split}.tfrecord").open("wb"))
        for number, (span, split, serialized) in enumerate(_examples(config, plain), start=1):
            tfrecord.write(streams[span, split], serialized)
            counts[span, split] = counts.get((span, split), 0) + 1
            report("pictures of both spans", number)
    for span in (1, 2):
        for split in schema.SPLITS:
            if not counts.get((span, split)):
                kind = (
                    f" that drill.unseen {config.drill.unseen!r} matches" if span == 2 and config.drill.unseen else ""
                )
                raise DataError(f"span {span} has no picture{kind} for {split}; a drill needs more pictures.")
    (folder / "after-2" / "span-1").symlink_to(folder.absolute() / "after-1" / "span-1")
    done.touch()
    return spans


_NO_COLORS = {"mask_colors": (), "ignore_colors": ()}


def _reading(config: Config, folder: Path) -> Config:
    path = str(folder.absolute() / "span-{SPAN}")
    source = Source(kind="tfrecord", path=path, max_megapixels=config.source.max_megapixels)
    return config.model_copy(update={"source": source})


def _examples(config: Config, plain: Config) -> Iterator[tuple[int, str, bytes]]:
    """Span, split and serialized Example; a picture of span 2 comes clean as well, as span 0."""
    for part in sources.parts(config):
        for record in part.records():
            try:
                encoded = encode(record, config)
            except BadPictureError:
                if config.source.on_bad_example == "quarantine":
                    continue
                raise
            unseen = _is_unseen(record.id, encoded.example, config.drill.unseen)
            if not unseen and unit_hash(record.id, _SEED) < config.drill.first_share:
                yield 1, encoded.split, encoded.example
                continue
            if not unseen:
                yield 0, encoded.split, encoded.example
            if config.drill.corruptions:
                yield 2, encoded.split, _harder(encoded.example, encoded.split, plain)
            elif unseen:
                yield 2, encoded.split, encoded.example


def _is_unseen(picture_id: str, serialized: bytes, pattern: str) -> bool:
    if not pattern:
        return False
    attributes = [f"{name}={value}" for name, value in _slices(example.decode(serialized))]
    return any(re.search(pattern, words) for words in (picture_id, *attributes))


def _slices(features: Mapping[str, list[Any]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key.removeprefix(schema.SLICE_PREFIX), values[0].decode())
        for key, values in sorted(features.items())
        if key.startswith(schema.SLICE_PREFIX) and values
    )


def _digest(config: Config) -> str:
    """Names what the spans are made of: another source or another kind of change is another folder."""
    sections = config.model_dump(mode="json", include={"source", "split", "data"})
    drill = config.drill.model_dump(mode="json", exclude={"answers"})
    text = json.dumps([sections, drill, sources.digest(config)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _harder(serialized: bytes, split: str, config: Config) -> bytes:
    """The Example with its picture corrupted and its statistics measured anew."""
    features = example.decode(serialized)
    picture_id = features[schema.ID][0].decode()
    seed = int(unit_hash(picture_id, _SEED + 1) * 2**32)
    name = config.drill.corruptions[seed % len(config.drill.corruptions)]
    with open_picture(features[schema.IMAGE][0]) as opened:
        pixels = corruptions.corrupt(np.asarray(opened.convert("RGB")), name, config.drill.severity, seed)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, subsampling=0)
    record = Record(picture_id, stream.getvalue(), features[schema.MASK][0], split, slices=_slices(features))
    return encode(record, config).example
