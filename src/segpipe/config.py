"""One run as a TOML file in, a frozen `Config` out: every key is known, typed and checked before any slow work."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from segpipe import schema
from segpipe.errors import ConfigError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


TOKEN_NAME = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|secret:projects/[^/]+/secrets/[^/]+(/versions/[^/]+)?|oidc")
"""How an access token is named: it is never written down itself."""


def check_token_name(name: str) -> str:
    """`name` if it says where a token is kept; otherwise a ValueError that does not repeat it: it may be the token."""
    if not TOKEN_NAME.fullmatch(name):
        raise ValueError(
            "a token is given by name: env:VARIABLE, secret:projects/PROJECT/secrets/NAME or oidc; "
            "if you pasted the token itself, revoke it."
        )
    return name


Accelerator = Literal[
    "", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_P4", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100", "NVIDIA_L4",
    "NVIDIA_TESLA_A100", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB",
]  # fmt: skip

_MACHINES_OF_ACCELERATOR: dict[str, str] = {
    # https://cloud.google.com/vertex-ai/docs/training/configure-compute; the others need n1.
    "": "",
    "NVIDIA_L4": "g2-",
    "NVIDIA_TESLA_A100": "a2-highgpu-",
    "NVIDIA_A100_80GB": "a2-ultragpu-",
    "NVIDIA_H100_80GB": "a3-",
}


def _by_digest(image: str) -> str:
    if image and not re.fullmatch(r"[^\s@]+@sha256:[0-9a-f]{64}", image):
        raise ValueError(
            f"an image is named by digest, as in …/pipeline@sha256:…, got {image}; a tag can move under a run. "
            "`make push-image` prints it."
        )
    return image


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Section):
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

    kind: Literal["folder", "csv", "parquet", "tfrecord", "tfds", "coco", "voc", "huggingface", "basemap"] = "folder"
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

    @field_validator("image_regex", "mask_regex")
    @classmethod
    def _names_the_id(cls, pattern: str) -> str:
        if pattern and "id" not in _compiled(pattern).groupindex:
            raise ValueError(f"{pattern!r} has no group named id; write it as in '(?P<id>.+)_mask\\.png'.")
        return pattern

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        for key, kinds in _KEYS_OF_KINDS.items():
            if self.kind not in kinds and getattr(self, key) != type(self).model_fields[key].get_default(
                call_default_factory=True
            ):
                raise ValueError(f'source.{key} is for kind {" or ".join(kinds)}, not for "{self.kind}".')
        if bool(self.image_regex) != bool(self.mask_regex):
            raise ValueError("source.image_regex and source.mask_regex belong together; give both.")
        if self.spans and "{SPAN" not in self.path:
            raise ValueError("source.spans needs {SPAN} in source.path, as in data/span-{SPAN}.")
        return self


_TABLES = ("csv", "parquet", "huggingface", "tfds")
_KEYS_OF_KINDS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("tfds", "huggingface"),
    "subset": ("huggingface",),
    "images": ("folder", "csv", "parquet", "coco"),
    "masks": ("folder", "csv", "parquet"),
    "image_regex": ("folder",),
    "mask_regex": ("folder",),
    "image_column": _TABLES,
    "mask_column": _TABLES,
    "id_column": _TABLES,
    "slice_columns": _TABLES,
    "categories": ("coco",),
}


class Split(_Section):
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
        if pattern and not _compiled(pattern).groups:
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


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}.") from None


class Data(_Section):
    """What the masks mean and at which size the model sees the pictures.

    Attributes:
      classes: names, in the order of the class ids 0…K-1.
      mask_values: the value in the stored masks of each class, in the same order; 0…K-1 when left out.
      mask_colors: instead of values, the colour of each class in RGB masks, as in "#ff0000".
      ignore_values: values in the stored masks that no loss and no metric counts.
      ignore_colors: the same for colours.
      image_size: side in pixels of the square that the model sees; a multiple of 32.
      schema_file: TensorFlow Metadata Schema of the Examples, relative to the TOML file.
    """

    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=schema.MAX_CLASSES)]
    mask_values: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    mask_colors: tuple[Color, ...] = ()
    ignore_values: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    ignore_colors: tuple[Color, ...] = ()
    image_size: int = 128
    schema_file: str = "schema.pbtxt"

    @field_validator("image_size")
    @classmethod
    def _multiple_of_32(cls, size: int) -> int:
        if size < 32 or size % 32:
            raise ValueError(f"image_size must be a multiple of 32, got {size}; try {max(32, size // 32 * 32)}.")
        return size

    @model_validator(mode="after")
    def _classes_and_values_agree(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
            raise ValueError(f"classes must differ from each other, got {', '.join(twice)} more than once.")
        if self.mask_values and len(self.mask_values) != len(self.classes):
            raise ValueError(
                f"mask_values needs one value per class: {len(self.classes)} classes, "
                f"got {len(self.mask_values)} values."
            )
        if self.mask_colors and len(self.mask_colors) != len(self.classes):
            raise ValueError(
                f"mask_colors needs one colour per class: {len(self.classes)} classes, "
                f"got {len(self.mask_colors)} colours."
            )
        if self.mask_colors and (self.mask_values or self.ignore_values):
            raise ValueError("masks hold values or colours; give mask_values or mask_colors, not both.")
        if self.ignore_colors and not self.mask_colors:
            raise ValueError("ignore_colors needs mask_colors.")
        colors = [color.lower() for color in (*self.mask_colors, *self.ignore_colors)]
        if len(set(colors)) != len(colors):
            raise ValueError("mask_colors and ignore_colors must differ from each other.")
        values = self.class_values
        if len(set(values)) != len(values):
            raise ValueError("mask_values must differ from each other: one mask value cannot mean two classes.")
        if both := sorted(set(values) & set(self.ignore_values)):
            raise ValueError(
                f"a mask value is a class or ignored, not both; got {both} in mask_values and ignore_values."
            )
        return self

    @property
    def class_values(self) -> tuple[int, ...]:
        """The stored mask value of each class, in the order of the class ids."""
        return self.mask_values or tuple(range(len(self.classes)))


class Validation(_Section):
    """How far the pictures of two sets may lie apart before the run stops, by feature.

    The features are the scalars of the data contract: brightness, contrast, saturation, sharpness, class_fraction,
    height and width. The distance is the Jensen-Shannon divergence, from 0 (alike) to 1. Small sets lie apart by chance
    alone, so a limit for them has to be wide.

    Attributes:
      max_skew: of train from eval, as in {brightness = 0.2}.
      max_drift: of train from the last accepted run's train.
    """

    max_skew: Mapping[str, Fraction] = Field(default_factory=dict)
    max_drift: Mapping[str, Fraction] = Field(default_factory=dict)

    @field_validator("max_skew", "max_drift")
    @classmethod
    def _known_features(cls, limits: Mapping[str, float]) -> Mapping[str, float]:
        for name in limits:
            if name not in schema.SCALARS:
                raise ValueError(f"[validation] knows {', '.join(schema.SCALARS)}, got {name!r}.")
        return limits


class Model(_Section):
    """Which network, how large, and where its weights start; docs/models.md lists the choices.

    Attributes:
      architecture: unet_mobilenetv2, deeplabv3plus or segformer.
      weights: "imagenet" (Keras downloads them), "none" (random), "preset:NAME" of Keras Hub, a file, or a URL that
        ends in "#sha256=HEX".
      accept_licence: name of the licence of a preset that restricts its use.
      width: MobileNetV2's multiplier (alpha).
      decoder_filters: of the U-Net, from the deepest level up.
      size: of SegFormer.
    """

    architecture: str = "unet_mobilenetv2"
    weights: str = "imagenet"
    accept_licence: str = ""
    width: float = 1.0
    decoder_filters: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=4, max_length=4)] = (
        512,
        256,
        128,
        64,
    )
    size: Literal["b0", "b1", "b2", "b3", "b4", "b5"] = "b0"

    @field_validator("width")
    @classmethod
    def _width_exists(cls, width: float) -> float:
        if width not in (0.35, 0.5, 0.75, 1.0, 1.3, 1.4):
            raise ValueError(f"model.width must be one of 0.35, 0.5, 0.75, 1, 1.3 and 1.4, got {width:g}.")
        return width


class Train(_Section):
    """The training recipe; docs/models.md explains it.

    Attributes:
      epochs: passes over the train split.
      frozen_epochs: the first of them, in which the encoder keeps its learned weights.
      batch_size: over all devices and workers together.
      learning_rate: of AdamW, at its highest.
      encoder_learning_rate: the same for learned weights.
      weight_decay: of kernels.
      warmup_epochs: in which the rate rises from 0; then it falls along a cosine.
      dice_weight: of the Dice loss beside cross-entropy.
      label_smoothing: share of the truth spread evenly over all classes.
      class_weights: none, or by how rare a class is in the train split, by the square root of that or in full.
      augment: flip, scale, crop, rotate and recolour.
      progressive_resizing: share of the epochs, the first ones, that learn from smaller pictures, at half the side and
        then at three quarters: these cost less. Every epoch is judged at the full side.
      patience_epochs: end after so many without a better mean IoU on the eval split.
      precision: to compute in while training; "auto" is mixed_bfloat16 where the hardware has it, else float32.
      xla: compile the whole step by XLA: for GPUs, slower on CPUs.
      deterministic: the same result at every run, bit for bit, at some cost.
      cache_gb: of memory for the decoded pictures of a split; above it they lie on disk. The smaller ones of
        progressive resizing are counted by themselves.
      tracker: "trackio" shows the curves on a Trackio dashboard, too; docs/models.md says where.
    """

    epochs: Annotated[int, Field(gt=0)] = 20
    frozen_epochs: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(gt=0)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    encoder_learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    dice_weight: Annotated[float, Field(ge=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "sqrt_balanced", "balanced"] = "none"
    augment: bool = True
    progressive_resizing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience_epochs: Annotated[int, Field(gt=0)] = 5
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    xla: bool = False
    deterministic: bool = False
    cache_gb: Annotated[float, Field(ge=0)] = 1.0
    tracker: Literal["none", "trackio"] = "none"


WITHOUT_EFFECT = frozenset({"tracker", "cache_gb"})
"""Keys of [train] that change no result: a training that was killed goes on whatever they say now."""


class Tuner(_Section):
    """A search over the recipe before the training; the best values replace those of [train].

    Attributes:
      enabled: whether there is a Tuner in the graph.
      trials: short trainings, each by a recipe drawn at random.
      epochs: of each trial.
      learning_rate: the range, drawn from evenly on a logarithmic scale; `train.encoder_learning_rate` keeps its ratio.
      frozen_share: choices of the share of the epochs in which the encoder is frozen.
      augment: choices of `train.augment`.
    """

    enabled: bool = False
    trials: Annotated[int, Field(gt=0)] = 8
    epochs: Annotated[int, Field(gt=0)] = 5
    learning_rate: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (5e-4, 5e-3)
    frozen_share: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.0, 0.25, 1.0)
    augment: Annotated[tuple[bool, ...], Field(min_length=1)] = (True, False)

    @field_validator("learning_rate")
    @classmethod
    def _rises(cls, learning_rate: tuple[float, float]) -> tuple[float, float]:
        if learning_rate[0] >= learning_rate[1]:
            raise ValueError(f"tuner.learning_rate is [lowest, highest], got {list(learning_rate)}.")
        return learning_rate


class Evaluate(_Section):
    """Which parts of the test split are looked at on their own, beside the whole.

    Every attribute slice/<name> of the pictures is a slicing. So is each statistic in `buckets`: the image statistics
    of the data contract, and object_size, the share of the pixels of the smallest class that a picture shows.

    Attributes:
      buckets: edges that cut a statistic into buckets, as in brightness = [0.3, 0.55]; no edges, no slicing.
      crossed: slicings to cross, as in "breed*brightness".
      min_slice_pictures: a slice of fewer pictures is shown, but too small to judge.
    """

    buckets: Mapping[str, tuple[float, ...]] = Field(
        default_factory=lambda: {
            schema.BRIGHTNESS: (0.3, 0.55),
            schema.SHARPNESS: (0.1,),
            schema.OBJECT_SIZE: (0.02,),
        }
    )
    crossed: tuple[Annotated[str, Field(pattern=r"^[^*]+(\*[^*]+)+$")], ...] = ()
    min_slice_pictures: Annotated[int, Field(gt=0)] = 20

    @field_validator("buckets")
    @classmethod
    def _known_and_rising(cls, buckets: Mapping[str, tuple[float, ...]]) -> Mapping[str, tuple[float, ...]]:
        known = (*schema.IMAGE_STATISTICS, schema.OBJECT_SIZE)
        for name, edges in buckets.items():
            if name not in known:
                raise ValueError(f"evaluate.buckets knows {', '.join(known)}, got {name!r}.")
            if list(edges) != sorted(set(edges)):
                raise ValueError(f"the edges of evaluate.buckets.{name} must rise, got {list(edges)}.")
        return buckets


class Gate(_Section):
    """What a candidate must reach on the test split before it is pushed.

    Attributes:
      min_mean_iou: floor of the mean IoU over the classes.
      min_class_iou: floor for single classes, by name.
      min_slice_mean_iou: floor of the mean IoU of slices: "breed" for every breed, "breed=Abyssinian" for one.
      max_mean_iou_drop: how far the mean IoU may lie below the last blessed model's.
      max_plausible_drop: how far below it the lower end of the difference's confidence interval may lie.
      confidence: of that interval, and of every other in the report.
      bootstrap_resamples: how often the test pictures are drawn anew for the interval.
      max_latency_ms: budget of one picture through serving_default where the gate runs, median; measured only if set.
      max_model_mb: budget of the SavedModel on disk.
    """

    min_mean_iou: Fraction = 0.5
    min_class_iou: Mapping[str, Fraction] = Field(default_factory=dict)
    min_slice_mean_iou: Mapping[str, Fraction] = Field(default_factory=dict)
    max_mean_iou_drop: Fraction = 0.0
    max_plausible_drop: Fraction = 0.05
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    bootstrap_resamples: Annotated[int, Field(ge=100)] = 2000
    max_latency_ms: Annotated[float, Field(gt=0)] | None = None
    max_model_mb: Annotated[float, Field(gt=0)] | None = None


class Hub(_Section):
    """Where a blessed model is shown to people, and what its model card says that no run can know.

    Attributes:
      kind: "directory" writes the same trees under the run's hub/; "huggingface" pushes them; "none" does neither.
      username: user or organisation on the Hub.
      repo_name: of the model; the run's name when left out.
      endpoint: the Hub's address.
      token: the *name* of the access token: env:VARIABLE, secret:projects/P/secrets/S (Google Secret Manager), or oidc
        (keyless login of a CI job). Never the token itself.
      private: make new repositories private, and refuse to push into a public one.
      space_sdk: the demo app; "none" for no Space.
      space_repo_name: of the Space; the model's when left out.
      space_app: folder of an app template of your own; a run on Google Cloud uploads it.
      license: identifier of the model's licence on the Hub, such as apache-2.0.
      dataset_name: what people call the data set; dataset_id is its id on the Hub, where it has one.
      exports: other formats to push beside the SavedModel, each checked against it first.
      pictures: how many test pictures to show on the card and to offer in the demo. They become as public as the
        repository is, so none unless you say so.
    """

    kind: Literal["directory", "huggingface", "none"] = "directory"
    username: str = ""
    repo_name: str = ""
    endpoint: str = "https://huggingface.co"
    token: Annotated[str, AfterValidator(check_token_name)] = "env:HF_TOKEN"  # noqa: S105
    private: bool = False
    space_sdk: Literal["gradio", "streamlit", "none"] = "gradio"
    space_repo_name: str = ""
    space_app: str = ""
    license: str = "apache-2.0"
    dataset_name: str = ""
    dataset_id: str = ""
    dataset_license: str = ""
    dataset_url: str = ""
    intended_use: str = ""
    limits: str = ""
    exports: tuple[Literal["keras", "litert"], ...] = ()
    pictures: Annotated[int, Field(ge=0, le=12)] = 0

    @model_validator(mode="after")
    def _has_an_owner(self) -> Self:
        if self.kind == "huggingface" and not self.username:
            raise ValueError(
                "hub.username is missing; the Hub needs the user or organisation that owns the repository."
            )
        return self


class Dataflow(_Section):
    """Where the Beam steps run: inside their own container, or on Dataflow workers.

    Attributes:
      enabled: also switched by the environment variable ENABLE_DATAFLOW (true or false), which wins.
      machine_type: of a worker.
      disk_gb: of a worker.
      max_workers: Dataflow adds workers up to this number.
      subnetwork: regions/R/subnetworks/S, or the full URL; the project's default network when left out.
      public_ips: give workers external addresses; without, the subnetwork needs Private Google Access.
    """

    enabled: bool = False
    machine_type: str = "n1-standard-4"
    disk_gb: Annotated[int, Field(ge=25)] = 50
    max_workers: Annotated[int, Field(gt=0)] = 8
    subnetwork: str = ""
    public_ips: bool = True


class Machine(_Section):
    """One kind of machine on Vertex AI, with or without an accelerator."""

    machine_type: str = "n1-standard-4"
    accelerator_type: Accelerator = ""
    accelerator_count: Annotated[int, Field(gt=0)] = 1

    @model_validator(mode="after")
    def _accelerator_fits_machine(self) -> Self:
        family = _MACHINES_OF_ACCELERATOR.get(self.accelerator_type, "n1-")
        if not self.machine_type.startswith(family):
            raise ValueError(
                f"accelerator_type {self.accelerator_type} runs on {family}… machines, got {self.machine_type}."
            )
        return self


class Training(Machine):
    """The machines of the Trainer.

    Attributes:
      replicas: machines; more than one train together (MultiWorkerMirroredStrategy).
      timeout_hours: the job is stopped after this long.
      spot: cheaper machines that Google may take back; training goes on from the last epoch's checkpoint.
    """

    machine_type: str = "n1-standard-8"
    replicas: Annotated[int, Field(gt=0)] = 1
    timeout_hours: Annotated[float, Field(gt=0)] = 24.0
    spot: bool = False


class Endpoint(Machine):
    """Where a blessed model answers requests, and how a new one takes over from the old.

    Attributes:
      name: of the endpoint and of the model in the registry; the run's name when left out.
      image: of the server; the default is Google's own for TensorFlow SavedModels.
      min_replicas, max_replicas: machines per deployed model.
      canary_percent: share of the requests that a new model gets while it is watched.
      health_requests: answers that the new model has to give, each checked, before it takes over.
      promote: "auto" lets the Pusher finish the change; "manual" leaves canary and old model side by side, both
        billed, until `segpipe endpoint promote` or `rollback`.
      grace_minutes: how long the old model stays deployed, without requests, after the change.
      keep_versions: versions that stay in the Model Registry.
    """

    name: str = ""
    image: str = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"
    min_replicas: Annotated[int, Field(gt=0)] = 1
    max_replicas: Annotated[int, Field(gt=0)] = 1
    canary_percent: Annotated[int, Field(ge=1, le=49)] = 10
    health_requests: Annotated[int, Field(gt=0)] = 10
    promote: Literal["auto", "manual"] = "auto"
    grace_minutes: Annotated[float, Field(ge=0)] = 10.0
    keep_versions: Annotated[int, Field(ge=2)] = 5

    @model_validator(mode="after")
    def _replicas_are_a_range(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas must be at least min_replicas = {self.min_replicas}, got {self.max_replicas}."
            )
        return self

    @model_validator(mode="after")
    def _image_uses_the_accelerator(self) -> Self:
        if self.accelerator_type and "/tf2-cpu." in self.image:
            raise ValueError(
                f"vertex.endpoint.image serves on the CPU alone, and accelerator_type is {self.accelerator_type}; set "
                f"image = {self.image.replace('/tf2-cpu.', '/tf2-gpu.')!r}."
            )
        return self


class Vertex(_Section):
    """Google Cloud: whose project, and what each step runs on.

    Attributes:
      pipeline_root: gs://BUCKET/FOLDER under which every step writes.
      image: of the pipeline's steps, by digest: REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME@sha256:….
      gpu_image: of the Trainer when it has an accelerator, likewise.
      service_account: that the steps run as; the project's default one when left out.
    """

    project: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]{4,28}[a-z0-9])?$")] = ""
    region: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$")] = "us-central1"
    pipeline_root: Annotated[str, Field(pattern=r"^(gs://[a-z0-9][a-z0-9._-]+(/[^?#\s]*)?)?$")] = ""
    image: Annotated[str, AfterValidator(_by_digest)] = ""
    gpu_image: Annotated[str, AfterValidator(_by_digest)] = ""
    service_account: Annotated[str, Field(pattern=r"^(\S+@\S+)?$")] = ""
    training: Training = Training()
    endpoint: Endpoint = Endpoint()


class Watch(_Section):
    """When the deployed model counts as drifted or degraded, and how often it may be trained anew by itself.

    Attributes:
      window_days: how far back answered requests are looked at.
      min_pictures: fewer in the window give no verdict on drift.
      min_labels: fewer labelled requests give no verdict on accuracy.
      false_alarm_rate: wanted chance per look that an unchanged world is called drifted.
      max_mean_iou_drop: allowed below the test split's mean IoU before the model counts as degraded.
      cool_down_hours: between two starts of retraining.
      max_per_week: starts of retraining in any seven days.
    """

    window_days: Annotated[float, Field(gt=0)] = 7.0
    min_pictures: Annotated[int, Field(ge=10)] = 30
    min_labels: Annotated[int, Field(ge=5)] = 20
    false_alarm_rate: Annotated[float, Field(gt=0.0, le=0.2)] = 0.01
    max_mean_iou_drop: Fraction = 0.02
    cool_down_hours: Annotated[float, Field(ge=0)] = 24.0
    max_per_week: Annotated[int, Field(ge=1)] = 3


class Answer(Model):
    """A [model] section to retrain with when the world has changed.

    Attributes:
      augment: whether this answer trains on augmented pictures; as [train] says where it is left out.
    """

    augment: bool | None = None

    @property
    def model(self) -> Model:
        """The [model] section alone."""
        return Model(**self.model_dump(exclude={"augment"}))


class Drill(_Section):
    """What `segpipe drill` does to the data, and with which networks it answers.

    Attributes:
      first_share: of the pictures, that arrive in the first span.
      corruptions: what happens to the pictures of the second span, one drawn for each picture; docs/drill.md has all.
      severity: of the corruptions, from 1 (slight) to 5 (severe).
      unseen: regular expression; pictures whose id or whose attribute, written breed=Sphynx, it matches are of a kind
        that the first span does not show.
      answers: [model] sections to retrain with, in this order; the run's own alone where it is left out.
    """

    first_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    corruptions: tuple[str, ...] = ("noise", "blur", "fog", "jpeg", "brightness")
    severity: Annotated[int, Field(ge=1, le=5)] = 4
    unseen: str = ""
    answers: tuple[Answer, ...] = ()

    @field_validator("unseen")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        return _compiled(pattern).pattern

    @model_validator(mode="after")
    def _something_changes(self) -> Self:
        if not self.corruptions and not self.unseen:
            raise ValueError("nothing gets harder: name drill.corruptions, drill.unseen or both.")
        return self


class Config(_Section):
    """One run. `name` names its folder; `directory` is where relative paths start (the TOML file's folder)."""

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
            if getattr(self.split, key) and kind not in _TABLES:
                raise ValueError(
                    f'split.{key} is for source.kind = {", ".join(_TABLES)}; "{kind}" has no columns. split.globs and '
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
        """The run's folder: `output_dir` as seen from the TOML file, or runs/<name> in the working directory."""
        return self.resolve(self.output_dir) if self.output_dir else Path("runs").absolute() / self.name

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
