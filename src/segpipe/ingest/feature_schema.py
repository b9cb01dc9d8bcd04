"""Builds the TensorFlow Metadata Schema of a config's Examples as text that a person may tune, and checks it.

ImportSchemaGen imports the file; ExampleValidator and Transform obey it.
"""

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import DataError
from segpipe.io import files

CLASS_DOMAIN = "classes"
"""Name of the string domain that lists the class names in the order of their ids."""

_FLOAT_DOMAINS = {
    schema.BRIGHTNESS: (0.0, 1.0),
    schema.CONTRAST: (0.0, 0.5),
    schema.SATURATION: (0.0, 1.0),
    schema.SHARPNESS: (0.0, 8.0),
}
TYPES = {
    schema.IMAGE: schema_pb2.BYTES,
    schema.MASK: schema_pb2.BYTES,
    schema.ID: schema_pb2.BYTES,
    schema.HEIGHT: schema_pb2.INT,
    schema.WIDTH: schema_pb2.INT,
    **dict.fromkeys(schema.IMAGE_STATISTICS, schema_pb2.FLOAT),
    schema.CLASS_FRACTION: schema_pb2.FLOAT,
}
_HEADER = """\
# What every Example must look like: types, shapes and ranges. ExampleValidator stops the run where the data does not
# fit. Tighten a domain, or add a drift_comparator or skew_comparator, to be told earlier. docs/data.md has examples.
"""


def build(classes: Iterable[str], slices: Iterable[str] = ()) -> schema_pb2.Schema:
    """The schema of the data contract.

    Args:
      classes: names, in the order of the class ids.
      slices: names of the optional slice attributes, without their prefix.
    """
    names = list(classes)
    built = schema_pb2.Schema()
    built.string_domain.add(name=CLASS_DOMAIN, value=names)
    for name, kind in TYPES.items():
        feature = built.feature.add(name=name, type=kind)
        feature.presence.min_fraction = 1.0
        feature.shape.SetInParent()  # One value, no dimensions.
        if name in _FLOAT_DOMAINS:
            feature.float_domain.min, feature.float_domain.max = _FLOAT_DOMAINS[name]
        elif name == schema.CLASS_FRACTION:
            feature.float_domain.min, feature.float_domain.max = 0.0, 1.0
            feature.shape.dim.add(size=len(names))
        elif kind == schema_pb2.INT:
            feature.int_domain.min = 1
        if kind == schema_pb2.FLOAT:
            feature.float_domain.disallow_nan = True
    for name in slices:
        feature = built.feature.add(name=schema.SLICE_PREFIX + name, type=schema_pb2.BYTES)
        feature.value_count.max = 1
    return built


def write(path: Path, built: schema_pb2.Schema) -> None:
    """Writes the schema as text."""
    path.write_text(_HEADER + text_format.MessageToString(built), encoding="utf-8")


def read(path: Path | str) -> schema_pb2.Schema:
    """Reads a schema from the text of a file or URL.

    Raises:
      DataError: the file is missing or is no schema.
    """
    try:
        return text_format.Parse(files.read(str(path)).decode(), schema_pb2.Schema())
    except FileNotFoundError:
        raise DataError(f"no such schema: {path}. `segpipe init` writes one; data.schema_file names it.") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a TensorFlow Metadata Schema: {error}.") from None


def is_published(found: schema_pb2.Schema) -> bool:
    """Whether this is the published pipeline's schema: pixels and labels as flat floats."""
    return {"image", "label"} <= {one.name for one in found.feature if one.type == schema_pb2.FLOAT}


def of_published(published: schema_pb2.Schema) -> schema_pb2.Schema:
    """What the published schema says, said of our Examples: as many classes, and the size of every picture.

    Args:
      published: image FLOAT [H, W, 3] in 0…255 and label FLOAT [H, W] in 0…K-1.
    """
    by_name = {feature.name: feature for feature in published.feature}
    built = build(str(class_id) for class_id in range(_classes(by_name["label"])))
    del built.string_domain[:]  # It has no names.
    sides = [dim.size for dim in by_name["image"].shape.dim]
    for feature in built.feature:
        if feature.name in (schema.HEIGHT, schema.WIDTH) and len(sides) == 3:
            feature.int_domain.min = feature.int_domain.max = sides[feature.name == schema.WIDTH]
    return built


def _classes(label: schema_pb2.Feature) -> int:
    return int(label.float_domain.max) + 1


def _check_published(found: schema_pb2.Schema, config: Config, path: str) -> None:
    """Checks the published schema against the config.

    Raises:
      DataError: the source has no flat floats, or pixels, labels and classes disagree.
    """
    by_name = {feature.name: feature for feature in found.feature}
    if config.source.kind != "tfrecord":
        raise DataError(
            f'{path} describes flat floats, which only source.kind = "tfrecord" reads, got "{config.source.kind}"; '
            "name another data.schema_file."
        )
    pixels = by_name["image"].float_domain
    if by_name["image"].HasField("float_domain") and (pixels.min, pixels.max) != (0, 255):
        raise DataError(f"{path}: image must be in 0…255, got {pixels.min:g}…{pixels.max:g}.")
    if _classes(by_name["label"]) != config.num_classes:
        raise DataError(
            f"{path} has labels 0…{by_name['label'].float_domain.max:g}, but data.classes has {config.num_classes}: "
            f"{', '.join(config.data.classes)}. Make them agree."
        )


def check(config: Config) -> None:
    """Checks that the schema file agrees with the config, before any data is read.

    Raises:
      DataError: the file is missing, or features, types, class count or class names disagree.
    """
    path = config.locate(config.data.schema_file)
    found = read(path)
    if is_published(found):
        _check_published(found, config, path)
        return
    by_name = {feature.name: feature for feature in found.feature}
    for name, kind in TYPES.items():
        if name not in by_name:
            raise DataError(f"{path} has no feature {name!r}; every Example has it. `segpipe init` writes it.")
        if by_name[name].type != kind:
            wanted, got = schema_pb2.FeatureType.Name(kind), schema_pb2.FeatureType.Name(by_name[name].type)
            raise DataError(f"{path}: feature {name!r} must be {wanted}, got {got}.")
    sizes = [dim.size for dim in by_name[schema.CLASS_FRACTION].shape.dim]
    if sizes != [config.num_classes]:
        has = f"{sizes[0]} classes" if len(sizes) == 1 else "no single class count"
        raise DataError(
            f"{path} has {has} (the shape of {schema.CLASS_FRACTION}), but data.classes "
            f"has {config.num_classes}: {', '.join(config.data.classes)}. Make them agree."
        )
    for domain in found.string_domain:
        if domain.name == CLASS_DOMAIN and tuple(domain.value) != config.data.classes:
            raise DataError(
                f"{path} names the classes {', '.join(domain.value)}, but data.classes is "
                f"{', '.join(config.data.classes)}. Make them agree; the order is that of the class ids."
            )
