"""One run: reads its TOML file into a frozen `Config`, each key known, typed and checked before any slow work."""

import difflib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from segpipe.config.data import Data, Validation
from segpipe.config.drill import Drill
from segpipe.config.evaluate import Evaluate, Gate
from segpipe.config.hub import Hub
from segpipe.config.model import Model
from segpipe.config.section import Section
from segpipe.config.source import TABLES, Source, Split
from segpipe.config.train import Train, Tuner
from segpipe.config.vertex import Dataflow, Vertex
from segpipe.config.watch import Watch
from segpipe.errors import ConfigError


class Config(Section):
    """One run.

    Attributes:
      name: of the run and of its folder.
      output_dir: the run's folder, runs/<name> by default. A relative one starts at the working directory, where the
        command is typed; every other path of a config starts at the TOML file.
      seed: of everything that is drawn at random in the training.
      directory: the TOML file's folder, where relative paths start.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=63)]
    output_dir: str = ""
    seed: int = 0
    source: Source = Source()
    split: Split = Split()
    data: Data
    validation: Validation = Validation()
    model: Model = Model()
    train: Train = Train()
    tuner: Tuner = Tuner()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    hub: Hub = Hub()
    dataflow: Dataflow = Dataflow()
    vertex: Vertex = Vertex()
    watch: Watch = Watch()
    drill: Drill = Drill()
    directory: Path = Path()

    @model_validator(mode="after")
    def _gate_names_classes(self) -> Self:
        for name in self.gate.min_class_iou:
            if name not in self.data.classes:
                raise ValueError(f"gate.min_class_iou names {name!r}; the classes are {', '.join(self.data.classes)}.")
        return self

    @model_validator(mode="after")
    def _columns_are_of_a_table(self) -> Self:
        kind = self.source.kind
        for key in ("column", "group_column"):
            if getattr(self.split, key) and kind not in TABLES:
                raise ValueError(
                    f'split.{key} is for source.kind = {", ".join(TABLES)}; "{kind}" has no columns. split.globs and '
                    "split.group_regex go by the path."
                )
        return self

    @model_validator(mode="after")
    def _model_can_be_exported(self) -> Self:
        if "keras" in self.hub.exports and self.model.architecture == "deeplabv3plus":
            raise ValueError(
                'hub.exports: Keras cannot load a DeepLabV3+ back from a .keras file; leave "keras" out, "litert" '
                "works."
            )
        return self

    @model_validator(mode="after")
    def _pictures_can_be_smaller(self) -> Self:
        if not self.train.progressive_resizing:
            return self
        if self.model.architecture == "segformer":
            raise ValueError("train.progressive_resizing: a segformer takes pictures of one size; set it to 0.")
        if self.data.image_size == 32:
            raise ValueError("train.progressive_resizing: no side is smaller than data.image_size = 32; set it to 0.")
        return self

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.data.classes)

    @property
    def output_path(self) -> Path:
        """The run's folder: `output_dir`, runs/<name> by default, as seen from the working directory in both cases."""
        return Path(self.output_dir or f"runs/{self.name}").expanduser().absolute()

    def resolve(self, path: str) -> Path:
        """`path` as seen from the TOML file."""
        return (self.directory / Path(path).expanduser()).absolute()

    def locate(self, path: str) -> str:
        """`path` as seen from the TOML file; an address such as gs://bucket/file stays as it is."""
        return path if "://" in path else str(self.resolve(path))


def load(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a TOML file, applies `--set` overrides and checks the whole.

    Args:
      path: the TOML file.
      overrides: entries such as "train.epochs=5"; the value is TOML, or a plain string where it is not.

    Raises:
      ConfigError: the file is missing or not TOML, a key is unknown, or a value is out of range.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no such config: {path}. `segpipe init DIR --data PATH` writes one.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    for override in overrides:
        _apply(raw, override)
    if "directory" in raw:
        raise ConfigError(f"{path}: directory is not a key; relative paths start at the TOML file's own folder.")
    raw.setdefault("name", path.stem if path.stem != "pipeline" else path.absolute().parent.name)
    try:
        return Config.model_validate({**raw, "directory": path.absolute().parent})
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_sentence(error)}") from None


def to_json(config: Config) -> str:
    """The config as one line of JSON, for component arguments; `from_json` reads it back equal."""
    return json.dumps(config.model_dump(mode="json"), sort_keys=True)


def checked(config: Config) -> Config:
    """The config as if it came from a file: `model_copy` checks nothing.

    Raises:
      ConfigError: a value is out of range, or two do not go together.
    """
    try:
        return from_json(to_json(config))
    except ValidationError as error:
        raise ConfigError(_first_sentence(error)) from None


def from_json(text: str) -> Config:
    """Reads what `to_json` wrote."""
    return Config.model_validate_json(text)


def _apply(raw: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set wants KEY=VALUE, as in --set train.epochs=5; got {override!r}.")
    *sections, last = key.strip().split(".")
    target = raw
    for section in sections:
        target = target.setdefault(section, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {key}: {section} is a value, not a section.")
    try:
        target[last] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        target[last] = value.strip()


def _first_sentence(error: ValidationError) -> str:
    """The first problem of a validation error as one sentence; an unknown key gets its nearest valid one."""
    problems = error.errors()
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    key = ".".join(str(part) for part in problem["loc"])
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    if problem["type"] == "extra_forbidden":
        *sections, last = (str(part) for part in problem["loc"])
        known = _known_keys(sections)
        near = difflib.get_close_matches(last, known, n=1, cutoff=0.5)
        hint = f"did you mean {'.'.join([*sections, near[0]])}?" if near else f"known keys: {', '.join(known)}."
        return f"unknown key {key}; {hint}{more}"
    if problem["type"] == "missing":
        return f"{key} is missing; it is required.{more}"
    message = problem["msg"].removeprefix("Value error, ")
    return (
        f"{key}: {message[0].lower() + message[1:]}, got {problem['input']!r}{more}"
        if (problem["type"] != "value_error")
        else f"{message}{more}"
    )


def _known_keys(sections: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [name for name in model.model_fields if name != "directory"]
