"""`segpipe app MODEL_DIR`: the demo of a model, on this machine."""

import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer


def app(
    model_dir: Annotated[Path, typer.Argument(help="A run's folder, such as runs/demo, or a SavedModel.")],
    sdk: Annotated[str, typer.Option(help="gradio or streamlit.")] = "gradio",
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 7860,
    examples: Annotated[Path | None, typer.Option(metavar="DIR", help="A folder of pictures to pick from.")] = None,
) -> None:
    """Run the demo app that a Space would run, with a model of yours; Ctrl-C ends it."""
    from segpipe.errors import RunError, UserError
    from segpipe.publish.files import folder_files
    from segpipe.publish.space import local

    model = local.saved_model_in(model_dir)
    if examples is not None and not examples.is_dir():
        raise UserError(f"--examples wants a folder of pictures; {examples} is none.")
    offered = folder_files(examples) if examples else ()
    with tempfile.TemporaryDirectory(prefix="segpipe-app-") as folder:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ended by a service, too, it takes the app along.
        process = local.start(model, Path(folder), sdk, port, offered)
        typer.echo(f"http://127.0.0.1:{port}")
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            return
        if status:
            raise RunError(f"the app ended with status {status}; its own words are above.")
