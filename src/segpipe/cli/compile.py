"""`segpipe compile CONFIG -o FILE`: the pipeline as a file that Vertex AI or Kubeflow runs."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from segpipe import config as config_module
from segpipe.io import atomic


class Engine(StrEnum):
    """Who runs the file."""

    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"


def compile_(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")],
    engine: Annotated[Engine, typer.Option(help="Who runs it.")] = Engine.VERTEX,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in train.epochs=5.")
    ] = None,
) -> None:
    """Compile the pipeline for Vertex AI (a job in JSON) or open-source Kubeflow Pipelines (YAML); run nothing."""
    settings = config_module.load(config, overrides or ())
    from segpipe.pipeline.vertex import cost, dataflow, job

    on_dataflow = dataflow.enabled(settings.dataflow, os.environ)
    if engine is Engine.KUBEFLOW:
        text = job.compile_kubeflow(settings, on_dataflow)
    else:
        text = json.dumps(job.compile_job(settings, on_dataflow), indent=2, sort_keys=True) + "\n"
        typer.echo(cost.sentence(settings, on_dataflow), err=True)
    atomic.write_text(out, text)
    typer.echo(str(out))
