"""`segpipe init DIR --data PATH`: looks at a data set and writes a commented pipeline.toml and schema.pbtxt."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segpipe import config as config_module
from segpipe import schema
from segpipe.config import Config
from segpipe.config.data import Data
from segpipe.config.source import Source
from segpipe.errors import UserError

if TYPE_CHECKING:  # At run time the verb itself imports it: `segpipe --help` need not wait for NumPy.
    from segpipe.ingest.inspect import Findings

CONFIG_FILE = "pipeline.toml"
SCHEMA_FILE = "schema.pbtxt"


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if missing.")],
    data: Annotated[Path, typer.Option("--data", metavar="PATH", help="Folder with images/ and masks/ or the like.")],
    classes: Annotated[str, typer.Option(metavar="A,B,C", help="Class names, in the order of the mask values.")] = "",
    images: Annotated[str, typer.Option(help="Images folder under PATH; found by itself where named as usual.")] = "",
    masks: Annotated[str, typer.Option(help="Masks folder under PATH; likewise.")] = "",
    mask_threshold: Annotated[
        int, typer.Option(min=0, max=255, help="For two classes with soft edges: values from here on are the object.")
    ] = 0,
    ignore: Annotated[
        str, typer.Option(metavar="V,V", help="Mask values that no loss and no metric counts; none for none.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Look at a data set and write pipeline.toml and schema.pbtxt for it."""
    targets = (directory / CONFIG_FILE, directory / SCHEMA_FILE)
    if not force and (there := [str(path) for path in targets if path.exists()]):
        raise UserError(f"{' and '.join(there)} already there; --force overwrites, another DIR keeps both.")
    from segpipe.ingest import feature_schema
    from segpipe.ingest.check import check_before_run
    from segpipe.ingest.inspect import inspect

    found = inspect(
        Config(
            name="init",
            source=Source(path=str(data.absolute()), images=images, masks=masks),
            data=Data(classes=("a", "b")),
        ),
        _ignored(ignore),
        mask_threshold,
    )
    names = _names(classes, found)
    directory.mkdir(parents=True, exist_ok=True)
    targets[0].write_text(_toml(directory, data, found, names, mask_threshold), encoding="utf-8")
    feature_schema.write(targets[1], feature_schema.build(names))
    check_before_run(config_module.load(targets[0]))
    _tell(found, names)
    typer.echo(f"Wrote {targets[0]} and {targets[1]}. Next: segpipe run {shlex.quote(str(targets[0]))}")


def _ignored(ignore: str) -> tuple[int, ...] | None:
    """The values of --ignore; None if it is not given."""
    if ignore.strip().lower() in ("", "none"):
        return () if ignore.strip() else None
    values = [value.strip() for value in ignore.split(",")]
    if not all(value.isascii() and value.isdigit() and int(value) <= schema.IGNORE for value in values):
        raise UserError(f"--ignore takes mask values from 0 to 255, as in --ignore 254,255, or none; got {ignore!r}.")
    return tuple(sorted({int(value) for value in values}))


def _names(classes: str, found: "Findings") -> tuple[str, ...]:
    names = tuple(name.strip() for name in classes.split(",") if name.strip()) or found.likely_classes
    if len(names) != len(found.values):
        raise UserError(
            f"--classes names {len(names)} ({', '.join(names)}), but the masks hold {len(found.values)} values: "
            f"{', '.join(str(value) for value in found.values)}. Give one name per value, in this order."
        )
    return names


def _tell(found: "Findings", names: tuple[str, ...]) -> None:
    typer.echo(f"{found.pictures} pictures of about {found.width}×{found.height} pixels.", err=True)
    for name, (value, share) in zip(names, found.class_share.items(), strict=True):
        typer.echo(f"  mask value {value:3d}  {share:6.1%} of the pixels  {name}", err=True)
    for value in found.ignore_values:
        typer.echo(f"  mask value {value:3d}  ignored", err=True)
    typer.echo(f"{found.ignored_share:.1%} of the pixels are ignored.", err=True)


def _toml(directory: Path, data: Path, found: "Findings", names: tuple[str, ...], threshold: int) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", directory.absolute().name.lower()).strip("-_") or "run"
    path = data if data.is_absolute() else os.path.relpath(data.absolute(), directory.absolute())
    rows = "\n".join(
        f"#   {value:3d}  {share:6.1%}  {class_name}"
        for class_name, (value, share) in zip(names, found.class_share.items(), strict=True)
    )
    trivial = max(found.class_share.values()) / len(names)
    floor = max(0.5, min(0.9, round(trivial + 0.15, 2)))
    return f"""\
# {found.pictures} pictures of about {found.width}×{found.height} pixels, from {data}
#
#   segpipe run {shlex.quote(str(directory / CONFIG_FILE))}
name = {_value(name)}

[source]
kind = "folder"
path = {_value(str(path))}
images = {_value(found.images)}
masks = {_value(found.masks)}        # a mask has the file name of its image{_patterns(found)}
on_bad_example = "fail"     # "quarantine" goes on without bad pictures and lists them in the report

[split]
train = 0.7                 # by a hash of the file name: a picture never changes its split
eval = 0.15                 # selects the epoch
test = 0.15                 # decides at the gate, and nothing else
seed = 0

[data]
# Mask values found, with their share of the pixels:
{rows}
classes = {_value(list(names))}
{_meaning(found, threshold)}
image_size = {_image_size(found)}            # side of the square that the model sees; a multiple of 32
schema_file = {_value(SCHEMA_FILE)}

[model]
architecture = "unet_mobilenetv2"
weights = "imagenet"        # Keras downloads them; "none" starts at random, or the path of a .weights.h5 file

[train]
epochs = 20
frozen_epochs = 2           # the decoder learns first, then the pretrained encoder joins at its lower rate
batch_size = 16

[gate]
min_mean_iou = {floor}          # naming the most common class everywhere gives {trivial:.2f}
"""


def _meaning(found: "Findings", threshold: int) -> str:
    """The keys that say what a mask's values mean."""
    if threshold:
        return f"mask_threshold = {threshold}        # values from here on are {found.likely_classes[1]}"
    return f"mask_values = {_value(list(found.values))}\nignore_values = {_value(list(found.ignore_values))}"


def _patterns(found: "Findings") -> str:
    """The keys that pair names which differ by more than their suffix."""
    if not found.image_regex:
        return " but for the suffix"
    patterns = {"image_regex": found.image_regex, "mask_regex": found.mask_regex}
    return " in the group id:\n" + "\n".join(f"{key} = {_value(pattern)}" for key, pattern in patterns.items())


def _image_size(found: "Findings") -> int:
    """128 where the pictures are small or of unknown use, 256 for large ones; a laptop trains both."""
    return 256 if min(found.width, found.height) >= 512 else 128


def _value(value: Any) -> str:
    """A value in TOML, which is JSON but for escaped pairs of surrogates."""
    return json.dumps(value, ensure_ascii=False)
