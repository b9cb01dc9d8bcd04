"""`segpipe watch CONFIG`: do the answered requests still look like the training pictures, and is the model right?"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from segpipe import config as config_module
from segpipe import progress
from segpipe.cli.console import library_output_to, plain_progress

STATUS_OF = {"ok": 0, "too few": 0, "drift": 4, "degraded": 5}
"""Exit status by verdict, for cron and CI."""


def watch(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    kept: Annotated[Path | None, typer.Option(help="Where the server keeps requests; RUN/kept when left out.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Masks that came in later, ID.png per kept request; RUN/labels if it exists.")
    ] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="Run the pipeline when the model has degraded.")] = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in watch.window_days=3."),
    ] = None,
) -> None:
    """Compare the answered requests with the training time; exit status 0 ok, 4 drift, 5 degraded."""
    settings = config_module.load(config, overrides or ())
    run_dir = settings.output_path
    found_labels = labels or (run_dir / "labels" if (run_dir / "labels").is_dir() else None)
    with library_output_to(run_dir / "logs" / "watch.log", verbose=False) as person:
        from segpipe.pipeline.local import provenance
        from segpipe.savedmodel.find import find_deployed
        from segpipe.watch import window
        from segpipe.watch.retrain import Policy, decide, note_start

        with plain_progress(person) as listener, progress.listening(listener):
            examples = provenance.examples_of(run_dir, Path(find_deployed(run_dir / "serving")).name)
            watched = window.look(settings, kept or run_dir / "kept", found_labels, examples=examples)
    for reason in watched.verdict.reasons:
        typer.echo(reason, err=True)
    typer.echo(f"{watched.verdict.status}: {os.path.relpath(watched.page)}")
    if retrain:
        folder = run_dir / "watch"
        policy = Policy(settings.watch.cool_down_hours, settings.watch.max_per_week)
        decision = decide(watched.verdict, folder, policy)
        if decision.start:
            note_start(folder)
            typer.echo("retraining …", err=True)
            from segpipe.cli.run import run

            run(config, overrides=overrides)
            return
        typer.echo(f"not retrained: {decision.reason}", err=True)
    sys.exit(STATUS_OF[watched.verdict.status])
