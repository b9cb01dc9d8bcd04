"""`segpipe app RUN|MODEL_DIR`: the demo of a model, on this machine."""

import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def app(
    model_dir: Annotated[
        str, typer.Argument(help="A run, its folder or a SavedModel; gs:// too.", metavar="RUN|MODEL_DIR")
    ],
    sdk: Annotated[str, typer.Option(help="gradio or streamlit.")] = "gradio",
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 7860,
    examples: Annotated[Path | None, typer.Option(metavar="DIR", help="A folder of pictures to pick from.")] = None,
) -> None:
    """Run the demo app that a Space would run, with a model of yours; Ctrl-C ends it."""
    from segpipe.errors import RunError, UserError
    from segpipe.publish.files import folder_files
    from segpipe.publish.space import local
    from segpipe.savedmodel.find import find
    from segpipe.savedmodel.local_copy import local_copy

    model = find(model_dir)
    if examples is not None and not examples.is_dir():
        raise UserError(f"--examples wants a folder of pictures; {examples} is none.")
    offered = folder_files(examples) if examples else ()
    with local_copy(model) as saved_model, tempfile.TemporaryDirectory(prefix="segpipe-app-") as folder:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ended by a service, too, it takes the app along.
        process = local.start(saved_model, Path(folder), sdk, port, offered)
        typer.echo(f"http://127.0.0.1:{port}")
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            return
        if status:
            raise RunError(f"the app ended with status {status}; its own words are above.")
