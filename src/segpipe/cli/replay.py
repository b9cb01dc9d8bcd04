"""`segpipe replay KEPT MODEL`: real requests, asked again of a candidate before any traffic is moved."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from segpipe import progress
from segpipe.cli.console import library_output_to, plain_progress
from segpipe.errors import UserError


def replay(
    kept: Annotated[Path, typer.Argument(help="Where `segpipe serve --keep-pictures` keeps requests.")],
    model: Annotated[Path, typer.Argument(help="The candidate's SavedModel folder.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("replay.html"),
    shown: Annotated[int, typer.Option(help="How many of the largest disagreements to show.", min=1)] = 24,
    days: Annotated[float, typer.Option(help="How far back to go.", min=0)] = 30.0,
) -> None:
    """Send kept requests to a candidate and show where it disagrees most."""
    if not (model / "saved_model.pb").is_file():
        raise UserError(f"{model} is no SavedModel; name a folder such as runs/demo/serving/1712345678.")
    with library_output_to(Path(os.devnull), verbose=False) as person:
        from segpipe.serve.bulk import classes_of
        from segpipe.serve.loaded import load
        from segpipe.watch import replay as stage

        with plain_progress(person) as listener, progress.listening(listener):
            candidate = load(model, int(model.name) if model.name.isdigit() else 0)
            classes, colors = classes_of(candidate)
            replayed = stage.replay(kept, candidate, len(classes), shown, time.time() - days * 86400)
            stage.write_page(replayed, kept, candidate, classes, colors, output)
    typer.echo(f"{replayed.pictures} requests: {100 * replayed.mean_share:.2f} % of the pixels change class.", err=True)
    typer.echo(str(output))
