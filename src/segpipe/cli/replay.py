"""`segpipe replay KEPT RUN|MODEL_DIR`: real requests, asked again of a candidate before any traffic is moved."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from segpipe import progress
from segpipe.cli.console import library_output_to, plain_progress


def replay(
    kept: Annotated[Path, typer.Argument(help="Where `segpipe serve --keep-pictures` keeps requests.")],
    model: Annotated[
        str,
        typer.Argument(help="A candidate: run, its folder or a SavedModel; gs:// too.", metavar="RUN|MODEL_DIR"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path("replay.html"),
    shown: Annotated[int, typer.Option(help="How many of the largest disagreements to show.", min=1)] = 24,
    days: Annotated[float, typer.Option(help="How far back to go.", min=0)] = 30.0,
) -> None:
    """Send kept requests to a candidate and show where it disagrees most."""
    with library_output_to(Path(os.devnull), verbose=False) as person:
        from segpipe.savedmodel.find import find
        from segpipe.savedmodel.load import load
        from segpipe.watch import replay as stage

        with plain_progress(person) as listener, progress.listening(listener):
            candidate = load(find(model))
            replayed = stage.replay(kept, candidate, len(candidate.classes), shown, time.time() - days * 86400)
            stage.write_page(replayed, kept, candidate, candidate.classes, candidate.colors, output)
    typer.echo(f"{replayed.pictures} requests: {100 * replayed.mean_share:.2f} % of the pixels change class.", err=True)
    typer.echo(str(output))
