"""`segpipe predict RUN|MODEL_DIR IMAGE…`: a mask and an overlay for each picture."""

import os
from pathlib import Path
from typing import Annotated

import typer

from segpipe import progress
from segpipe.cli.console import library_output_to, plain_progress
from segpipe.errors import UserError
from segpipe.text import count

_SHOWN_FAILURES = 5


def predict(
    model_dir: Annotated[
        str, typer.Argument(help="A run, its folder or a SavedModel; gs:// too.", metavar="RUN|MODEL_DIR")
    ],
    images: Annotated[list[str], typer.Argument(help="Files, folders or patterns, gs:// too.", metavar="IMAGE…")],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="DIR", help="Where the predictions go: a folder, or gs://….")
    ] = "predictions",
    max_megapixels: Annotated[float, typer.Option(min=0.001, help="Refuse larger pictures.")] = 100.0,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="masks, overlays, coco, polygons; masks and overlays if left out."),
    ] = None,
    beam: Annotated[
        bool, typer.Option("--beam", help="Share the work out by Apache Beam; coco and polygons come as JSON lines.")
    ] = False,
    beam_args: Annotated[
        list[str] | None, typer.Option("--beam-arg", help="For Beam, as in --beam-arg=--runner=DataflowRunner.")
    ] = None,
) -> None:
    """Segment pictures at their own size: masks/NAME.png holds class ids, overlays/NAME.jpg shows them.

    classes.csv has the share of each class in each picture. A picture that cannot be read does not stop the others:
    failed.txt lists it. Exit status 0 if any picture was predicted, 2 if none was.
    """
    if beam_args and not beam:
        raise UserError("--beam-arg is for Apache Beam; give --beam, too, or leave it out.")
    from segpipe.predict import rendering
    from segpipe.predict.listing import listing
    from segpipe.savedmodel.find import find

    formats = formats or list(rendering.DEFAULT_FORMATS)
    rendering.check_formats(formats)
    pictures = listing(images, out)  # A wrong name is told before TensorFlow and the model are loaded.
    model = find(model_dir)
    with library_output_to(Path(os.devnull), verbose=False) as person:
        if beam:
            from segpipe.pipeline.components import predict_with_beam

            account = predict_with_beam.predict(model, pictures, out, formats, max_megapixels, beam_args or ())
        else:
            from segpipe.predict import files
            from segpipe.savedmodel.load import load

            with plain_progress(person) as listener, progress.listening(listener):
                account = files.predict(load(model), pictures, out, formats, max_megapixels)
    for sentence in account.failed[:_SHOWN_FAILURES]:
        typer.echo(sentence, err=True)
    failed = f", {len(account.failed)} failed: {out}/failed.txt" if account.failed else ""
    typer.echo(f"{count(account.done, 'picture')}{failed}", err=True)
    typer.echo(out)
    if not account.done:
        raise UserError("no picture could be predicted.")
