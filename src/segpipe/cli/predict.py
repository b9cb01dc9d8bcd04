"""`segpipe predict RUN|MODEL_DIR IMAGE…`: a mask and an overlay for each picture."""

import os
from pathlib import Path
from typing import Annotated

import typer

from segpipe import progress
from segpipe.cli.console import library_output_to, plain_progress
from segpipe.errors import UserError
from segpipe.text import count


def predict(
    model_dir: Annotated[Path, typer.Argument(help="A run, its folder or a SavedModel.", metavar="RUN|MODEL_DIR")],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns, gs:// too.", metavar="IMAGE…")],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="DIR", help="Where masks and overlays go: a folder, or gs://….")
    ] = "predictions",
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Refuse larger pictures.")] = 100.0,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="masks, overlays, coco, polygons; with classes.csv, for any number of pictures."),
    ] = None,
    beam: Annotated[
        bool, typer.Option("--beam", help="Share the work out by Apache Beam; coco and polygons come as JSON lines.")
    ] = False,
    beam_args: Annotated[
        list[str] | None, typer.Option("--beam-arg", help="For Beam, as in --beam-arg=--runner=DataflowRunner.")
    ] = None,
) -> None:
    """Segment pictures: NAME.mask.png holds class ids, NAME.overlay.png shows them; both at the picture's own size."""
    if formats or beam or beam_args or any("://" in one for one in (*images, out)):
        _predict_in_bulk(
            model_dir, images, out, formats or ["masks"], max_megapixels, list(beam_args or ()) if beam else None
        )
        return
    from segpipe.predict.listing import listing

    pictures = listing(images, out)  # A wrong name is told before TensorFlow and the model are loaded.
    with (
        library_output_to(Path(os.devnull), verbose=False) as person,
        plain_progress(person) as listener,
        progress.listening(listener),
    ):
        from segpipe.predict import single as prediction
        from segpipe.savedmodel.predictor import Predictor

        written = list(prediction.predict(Predictor.load(model_dir), pictures, Path(out), max_megapixels))
    typer.echo(count(len(written), "picture"), err=True)
    typer.echo(out)


def _predict_in_bulk(
    model_dir: Path, images: list[str], out: str, formats: list[str], max_megapixels: float, beam_args: list[str] | None
) -> None:
    """Any number of pictures, from anywhere to anywhere; a picture that cannot be read does not stop the others."""
    from segpipe.predict import files, rendering
    from segpipe.predict.listing import listing

    rendering.check_formats(formats)
    pictures = listing(images, out)
    with library_output_to(Path(os.devnull), verbose=False) as person:
        from segpipe.savedmodel.load import load
        from segpipe.savedmodel.predictor import saved_model_folder

        folder = saved_model_folder(model_dir)
        if beam_args is None:
            with plain_progress(person) as listener, progress.listening(listener):
                account = files.predict(load(folder, 0), pictures, out, formats, max_megapixels)
        else:
            from segpipe.pipeline.components import predict_with_beam

            account = predict_with_beam.predict(str(folder), pictures, out, formats, max_megapixels, beam_args)
    for sentence in account.failed[:5]:
        typer.echo(sentence, err=True)
    failed = f", {len(account.failed)} failed: {out}/failed.txt" if account.failed else ""
    typer.echo(f"{account.done} pictures{failed}", err=True)
    typer.echo(out)
    if not account.done:
        raise UserError("no picture could be predicted.")
