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
) -> None:
    """Run the demo app that a Space would run, with a model of yours; Ctrl-C ends it."""
    from segpipe.errors import RunError
    from segpipe.publish.space import local

    model = local.saved_model_in(model_dir)
    with tempfile.TemporaryDirectory(prefix="segpipe-app-") as folder:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ended by a service, too, it takes the app along.
        process = local.start(model, Path(folder), sdk, port)
        typer.echo(f"http://127.0.0.1:{port}")
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            return
        if status:
            raise RunError(f"the app ended with status {status}; its own words are above.")
