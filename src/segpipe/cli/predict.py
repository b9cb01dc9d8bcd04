"""`segpipe predict MODEL_DIR IMAGE…`: a mask and an overlay for each picture."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    model_dir: Annotated[
        Path, typer.Argument(help="A run's folder, such as runs/demo, or a SavedModel.", metavar="MODEL_DIR")
    ],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns.", metavar="IMAGE…")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where masks and overlays go.")] = Path(
        "predictions"
    ),
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Refuse larger pictures.")] = 100.0,
) -> None:
    """Segment pictures: NAME.mask.png holds class ids, NAME.overlay.png shows them; both at the picture's own size."""
    from segpipe.serve import predict as prediction

    prediction.find(images)  # A wrong name is told before the model is loaded.
    from segpipe.serve.predictor import Predictor

    written = list(prediction.predict(Predictor.load(model_dir), images, out, max_megapixels))
    typer.echo(f"{len(written)} pictures", err=True)
    typer.echo(out)
