"""`segpipe drill CONFIG`: the world changes, the model degrades, is it noticed, does it recover?"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from segpipe import config as config_module
from segpipe import progress
from segpipe.cli.console import RunConsole, library_output_to


def drill(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in drill.severity=5.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show everything that the libraries print.")] = False,
) -> None:
    """Train, deploy, make the data harder, notice, retrain, and tell whether the model recovered."""
    settings = config_module.load(config, overrides or ())
    folder = Path(f"{settings.output_path}-drill")
    log = folder / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    with library_output_to(log, verbose) as person:
        from segpipe.drill import page, story

        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s", force=True)
        path = folder / "drill" / "index.html"
        console = RunConsole(person, ["ExampleValidator"])
        with console.open(), progress.listening(console.progress):
            told = story.tell(
                settings,
                say=lambda chapter: console.say(f"\n── {chapter}"),
                node_started=console.node_started,
                node_finished=lambda outcome, note: console.node_finished(
                    outcome.node, outcome.status, outcome.seconds, note
                ),
                answered=lambda so_far: page.write(so_far, settings.gate.confidence, path),
            )
    for look in told.looks:
        typer.echo(f"{look.when}: {look.status}", err=True)
    for model in told.models[1:]:
        typer.echo(f"{model.name}: {model.outcome}, span 2 mean IoU {model.span_2.value:.3f}", err=True)
    typer.echo(os.path.relpath(path))
