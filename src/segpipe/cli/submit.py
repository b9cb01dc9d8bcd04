"""`segpipe submit CONFIG`: the pipeline on Vertex AI, started and, if asked, followed to its end."""

import os
from pathlib import Path
from typing import Annotated

import typer

from segpipe import config as config_module


def submit(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run; fail when it fails.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run every step again; reuse nothing.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in train.epochs=5.")
    ] = None,
    interval_s: Annotated[float, typer.Option(help="Most seconds between two looks.", hidden=True)] = 30.0,
) -> None:
    """Run the pipeline on Vertex AI; prints the address of its page."""
    settings = config_module.load(config, overrides or ())
    from segpipe.pipeline.vertex import cost, dataflow
    from segpipe.pipeline.vertex import submit as vertex_submit

    on_dataflow = dataflow.enabled(settings.dataflow, os.environ)
    typer.echo(cost.sentence(settings, on_dataflow), err=True)
    job = vertex_submit.submit(settings, on_dataflow, enable_cache=not fresh)
    page = vertex_submit.address(job)
    if wait:
        typer.echo(page, err=True)
        vertex_submit.wait(job, settings, lambda line: typer.echo(line, err=True), interval_s)
    typer.echo(page)
