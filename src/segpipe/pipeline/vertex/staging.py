"""Rewrites a config of this machine for the cloud, and lists the files to upload for it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.io.files import is_url
from segpipe.model import weights
from segpipe.publish.files import folder_files, tree_digest
from segpipe.publish.settings import settings_from


@dataclass(frozen=True)
class Staged:
    """A run for the cloud.

    Attributes:
      config: without a path of this machine in it, so that it compiles to the same job everywhere.
      uploads: local file → gs:// address, named by content: an edit gives a new address, and so a new execution.
    """

    config: Config
    uploads: tuple[tuple[Path, str], ...]


def stage(config: Config) -> Staged:
    """Checks that a run can leave this machine, and says which files have to go along.

    Raises:
      ConfigError: a key of [vertex] is missing, or the data or a secret would not be found in the cloud.
    """
    _check(config)
    uploads: list[tuple[Path, str]] = []

    def uploaded(path: str) -> str:
        if is_url(path):
            return path
        local = config.resolve(path)
        if not local.is_file():
            raise ConfigError(f"no such file: {local}; [vertex] runs need it to upload it.")
        address = f"{root(config)}/staged/{_digest(local)[:16]}/{local.name}"
        uploads.append((local, address))
        return address

    def uploaded_folder(path: str) -> str:
        files = folder_files(config.resolve(path))
        address = f"{root(config)}/staged/{tree_digest(files)[:16]}"
        uploads.extend((config.resolve(path) / file.path, f"{address}/{file.path}") for file in files)
        return address

    data = config.data.model_copy(update={"schema_file": uploaded(config.data.schema_file)})
    model = config.model
    if weights.is_file_or_url(model.weights):
        weights.check(model.weights, config.directory)
        if not is_url(model.weights):
            path = weights.fetch(model.weights, config.directory)
            there = f"{uploaded(str(path))}#sha256={_digest(path)}"  # The Trainer takes no URL without its checksum.
            model = model.model_copy(update={"weights": there})
    hub = config.hub
    if hub.space_app and not is_url(hub.space_app):
        settings_from(config)  # Refuses a folder without an app.
        hub = hub.model_copy(update={"space_app": uploaded_folder(hub.space_app)})
    staged = config.model_copy(
        update={"directory": Path("/"), "output_dir": "", "data": data, "model": model, "hub": hub}
    )
    return Staged(staged, tuple(uploads))


def root(config: Config) -> str:
    """gs:// folder of the run."""
    return f"{config.vertex.pipeline_root.rstrip('/')}/{config.name}"


def _check(config: Config) -> None:
    vertex = config.vertex
    missing = [key for key in ("project", "pipeline_root", "image") if not getattr(vertex, key)]
    if vertex.training.accelerator_type and not vertex.gpu_image:
        missing.append("gpu_image")
    if missing:
        raise ConfigError(
            f"{' and '.join(f'vertex.{key}' for key in missing)} must be set to run on Google Cloud; "
            "configs/vertex.toml shows how, docs/cloud.md where each comes from."
        )
    if "_" in config.name:
        raise ConfigError(
            f"Vertex AI takes names without underscores, got {config.name}; rename it, as with --set name=…"
        )
    if config.source.path and not config.source.path.startswith("gs://"):
        raise ConfigError(
            f"source.path must be on Cloud Storage for a run there, got {config.source.path}; "
            f"`gcloud storage cp --recursive` it to {vertex.pipeline_root} and name that address."
        )
    if config.hub.kind == "huggingface" and config.hub.token.startswith("env:"):
        raise ConfigError(
            f"hub.token is {config.hub.token}, and no environment variable travels to Google Cloud; store the token in "
            f"Secret Manager and name it: secret:projects/{vertex.project}/secrets/NAME."
        )
    if config.train.tracker != "none":
        raise ConfigError(
            f'train.tracker = "{config.train.tracker}" is for `segpipe run`: no environment variable travels to Google '
            f"Cloud to say where the dashboard is. Leave it out; TensorBoard draws {root(config)}/checkpoints."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
