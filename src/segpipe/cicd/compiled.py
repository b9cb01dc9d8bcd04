"""Compiles the pipeline of each config for every place that takes a file; submits nothing."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from segpipe import config as config_module
from segpipe.config import Config
from segpipe.io import atomic
from segpipe.pipeline.vertex import job

NOBODYS_CLOUD: Final = {
    "project": "some-project",
    "pipeline_root": "gs://some-bucket/runs",
    "image": "us-central1-docker.pkg.dev/some-project/segpipe/pipeline@sha256:" + "0" * 64,
}
"""Stands in for the keys of [vertex] that a config leaves out: to see that it compiles takes no account."""


def _vertex(config: Config, on_dataflow: bool) -> str:
    return json.dumps(job.compile_job(config, on_dataflow), indent=2, sort_keys=True) + "\n"


FILES: Mapping[str, Callable[[Config], str]] = {
    "vertex.json": lambda config: _vertex(config, on_dataflow=False),
    "vertex-dataflow.json": lambda config: _vertex(config, on_dataflow=True),
    "kubeflow.yaml": lambda config: job.compile_kubeflow(config, on_dataflow=False),
}


def compile_all(configs: Iterable[Path], out: Path) -> list[Path]:
    """Compiles every config for every target.

    Args:
      configs: TOML files.
      out: folder for the compiled files, <config>.<target>.

    Returns:
      The files.

    Raises:
      ConfigError: a config is wrong, or cannot run in the cloud.
    """
    written = []
    for path in configs:
        said = config_module.load(path).vertex
        missing = [f"vertex.{key}={value}" for key, value in NOBODYS_CLOUD.items() if not getattr(said, key)]
        config = config_module.load(path, missing)
        for name, compiled in FILES.items():
            file = out / f"{path.stem}.{name}"
            atomic.write_text(file, compiled(config))
            written.append(file)
    return written
