"""`segpipe report RUN`: a run's page and summary again, from what the run left."""

from pathlib import Path
from typing import Annotated

import typer

from segpipe.cli.console import library_output_to, shown
from segpipe.cli.runs import find_run

_LOG = "logs/report.log"


def report(
    run: Annotated[str, typer.Argument(help="A run's name or folder.", metavar="RUN")],
    folder: Annotated[Path, typer.Option("--in", help="Where the runs are.", metavar="DIR")] = Path("runs"),
    verbose: Annotated[bool, typer.Option("--verbose", help="Show everything that the libraries print.")] = False,
) -> None:
    """Write a run's report and summary again from ML Metadata and its folder; nothing is run."""
    run_dir, summary = find_run(run, folder)
    with library_output_to(run_dir / _LOG, verbose):
        from segpipe.pipeline.local import run_summary

        page = run_summary.write_again(run_dir.absolute(), summary)
    typer.echo(shown(page))
