"""`segpipe prepare CONFIG`: reads the source and writes checked Examples as sharded TFRecord."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segpipe import config as config_module
from segpipe import progress


def prepare(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    out: Annotated[
        str | None, typer.Option("-o", "--out", metavar="DIR", help="Folder or URL; <output_dir>/prepared if left out.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core if left out.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in split.seed=1.")
    ] = None,
) -> None:
    """Turn the source into sharded TFRecord: every picture checked, one Example each."""
    settings = config_module.load(config, overrides or ())
    from segpipe.ingest.prepare import QUARANTINE
    from segpipe.ingest.prepare import prepare as prepare_source

    target = out or str(settings.output_path / "prepared")
    with _bar() as bar:
        task = bar.add_task("pictures", total=None)
        with progress.listening(lambda step: bar.update(task, completed=step.done, total=step.total)):
            prepared = prepare_source(settings, target, workers)
    counts = ", ".join(f"{split} {number}" for split, number in prepared.counts.items())
    state = "already there, made from the same data" if prepared.reused else "written"
    written, left_out = sum(prepared.counts.values()), len(prepared.quarantined)
    typer.echo(f"{written} pictures {state}: {counts}", err=True)
    typer.echo(f"{written + left_out} read = {written} written + {left_out} quarantined", err=True)
    if left_out:
        typer.echo(f"see {target}/{QUARANTINE}", err=True)
    typer.echo(target)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
