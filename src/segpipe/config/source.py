"""The sections [source] and [split]: where the pictures come from, and which split each one belongs to."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from segpipe.config.section import Fraction, Section, compiled

_TABLE = ("image_column", "mask_column", "id_column", "slice_columns")

KINDS: Mapping[str, tuple[str, ...]] = {
    "folder": ("images", "masks", "image_regex", "mask_regex"),
    "csv": ("images", "masks", *_TABLE),
    "parquet": ("images", "masks", *_TABLE),
    "tfrecord": (),
    "tfds": ("dataset", *_TABLE),
    "coco": ("images", "categories"),
    "voc": (),
    "huggingface": ("dataset", "subset", *_TABLE),
    "basemap": (),
}
"""Every kind of source, with the keys of [source] that only some kinds have. The module that reads a kind has its name:
ingest/sources/<kind>.py. A new kind is an entry here and that module."""

TABLES = tuple(kind for kind, keys in KINDS.items() if "image_column" in keys)
"""The kinds whose pictures are rows with columns."""

_SPECIAL_KEYS = tuple(dict.fromkeys(key for keys in KINDS.values() for key in keys))


class Source(Section):
    """Where the pictures come from and what to do with bad ones. docs/data.md shows every kind.

    Attributes:
      kind: the layout.
      path: folder, file or glob, relative to the TOML file, or a URL such as gs://bucket/folder. `{SPAN}` in it stands
        for a number: each number is a span of rolling data.
      spans: how many of the latest spans to read; 0 reads all.
      dataset: name in TFDS, as in "oxford_iiit_pet:4.0.0", or on the Hugging Face Hub, as in "owner/name".
      subset: folder of a Hub data set to read alone.
      images: folder of the images under `path`; the usual names are tried where it is left out.
      masks: folder of the masks, likewise.
      image_regex: matches the images' paths under their folder; its group `id` is what pairs image and mask.
      mask_regex: the same for masks.
      image_column: column or feature with a path or encoded bytes.
      mask_column: the same for masks.
      id_column: column with the id; the image's path, or the place in the file, where it is left out.
      slice_columns: columns to keep as attributes for sliced metrics.
      categories: COCO category name → class name; categories named like a class need no entry, "ignore" is possible.
      on_bad_example: fail, or go on without bad pictures and list them.
      max_megapixels: larger pictures are refused by their header.
    """

    kind: str = "folder"
    path: str = ""
    spans: Annotated[int, Field(ge=0)] = 0
    dataset: str = ""
    subset: str = ""
    images: str = ""
    masks: str = ""
    image_regex: str = ""
    mask_regex: str = ""
    image_column: str = ""
    mask_column: str = ""
    id_column: str = ""
    slice_columns: tuple[str, ...] = ()
    categories: Mapping[str, str] = Field(default_factory=dict)
    on_bad_example: Literal["fail", "quarantine"] = "fail"
    max_megapixels: Annotated[float, Field(gt=0)] = 100.0

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"source.kind must be one of {', '.join(KINDS)}, got {kind!r}.")
        return kind

    @field_validator("image_regex", "mask_regex")
    @classmethod
    def _names_the_id(cls, pattern: str) -> str:
        if pattern and "id" not in compiled(pattern).groupindex:
            raise ValueError(f"{pattern!r} has no group named id; write it as in '(?P<id>.+)_mask\\.png'.")
        return pattern

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        for key in _SPECIAL_KEYS:
            default = type(self).model_fields[key].get_default(call_default_factory=True)
            if key not in KINDS[self.kind] and getattr(self, key) != default:
                kinds = [kind for kind, keys in KINDS.items() if key in keys]
                raise ValueError(f'source.{key} is for kind {" or ".join(kinds)}, not for "{self.kind}".')
        if bool(self.image_regex) != bool(self.mask_regex):
            raise ValueError("source.image_regex and source.mask_regex belong together; give both.")
        if self.spans and "{SPAN" not in self.path:
            raise ValueError("source.spans needs {SPAN} in source.path, as in data/span-{SPAN}.")
        return self


class Split(Section):
    """How pictures are dealt out to train, eval and test.

    The first that is given decides: `column`, `globs`, what the data set itself says, the hash of the group or id. A
    hash moves no old picture when new ones come. Where the data has no eval or no test split of its own, that one is
    carved out of train by the hash.

    Attributes:
      train: share of the pictures that a hash deals to train.
      eval: share for eval.
      test: share for test.
      seed: of the hash.
      globs: pattern by split, as in {train = "train-*", eval = "val-*"}, of a file's name or its path in the source.
      column: column of a table that names the split.
      group_column: column of a table; pictures with the same value stay in one split.
      group_regex: matched against ids; pictures with the same first group stay in one split.
    """

    train: Fraction = 0.7
    eval: Fraction = 0.15
    test: Fraction = 0.15
    seed: int = 0
    globs: Mapping[Literal["train", "eval", "test"], str] = Field(default_factory=dict)
    column: str = ""
    group_column: str = ""
    group_regex: str = ""

    @field_validator("group_regex")
    @classmethod
    def _has_a_group(cls, pattern: str) -> str:
        if pattern and not compiled(pattern).groups:
            raise ValueError(f"{pattern!r} has no group; write it as in '^(patient[0-9]+)_'.")
        return pattern

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        total = self.train + self.eval + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"train + eval + test must be 1, got {total:g}; try 0.7, 0.15 and 0.15.")
        if self.globs and "train" not in self.globs:
            raise ValueError('split.globs must name train, as in {train = "train-*", eval = "val-*"}.')
        return self
