"""`segpipe serve RUN|MODEL_DIR`: the model behind TensorFlow Serving's and KServe's addresses."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from segpipe.errors import UserError
from segpipe.io import files

_POLL_S = 1.0
_REMOTE_POLL_S = 30.0
"""How often new versions are looked for; each look at a bucket is paid."""


def serve(
    target: Annotated[
        str, typer.Argument(help="A run, its serving folder, or one version in it; gs:// too.", metavar="RUN|MODEL_DIR")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8501,
    name: Annotated[str, typer.Option(help="What clients call the model; the run's name when left out.")] = "",
    versions: Annotated[int, typer.Option(help="How many of the newest versions answer.", min=1)] = 1,
    workers: Annotated[int, typer.Option(help="Batches that run at once; 0: one per core.", min=0)] = 0,
    max_batch: Annotated[int, typer.Option(help="Pictures in one call of the model.", min=1)] = 8,
    max_body_mb: Annotated[float, typer.Option(help="Largest request.", min=0.001)] = 64.0,
    max_megapixels: Annotated[float, typer.Option(help="Largest picture.", min=0.001)] = 50.0,
    keep: Annotated[
        Path | None, typer.Option(help="Keep statistics of answered requests here, for `segpipe watch`.")
    ] = None,
    keep_share: Annotated[float, typer.Option(help="Share of the pictures kept.", min=0, max=1)] = 0.1,
    keep_pictures: Annotated[bool, typer.Option(help="Keep the pictures, too, for `segpipe replay`.")] = False,
    keep_mb: Annotated[float, typer.Option(help="The oldest are deleted beyond this.", min=1)] = 1000.0,
    keep_days: Annotated[float, typer.Option(help="The oldest are deleted after this.", min=0)] = 30.0,
) -> None:
    """Serve a model over HTTP; new versions in its folder take over without a lost request."""
    from segpipe.savedmodel.find import find_serving

    place = find_serving(target)
    try:
        from segpipe.serve import server
    except ModuleNotFoundError as error:
        raise UserError(f"serving needs {error.name}; install segpipe[serve].") from None
    from segpipe.serve.answering import RequestLimits
    from segpipe.serve.batching import BatchLimits
    from segpipe.serve.request_log import Keeper, Retention

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    settings = server.Settings(
        name=name or place.name,
        folder=place.folder,
        poll_s=_REMOTE_POLL_S if files.is_url(place.folder) else _POLL_S,
        host=host,
        port=port,
        workers=workers,
        keep_versions=versions,
        requests=RequestLimits(max_body_mb=max_body_mb, max_megapixels=max_megapixels),
        batches=BatchLimits(max_batch=max_batch),
    )
    if keep is None:
        server.serve(settings, started=typer.echo)
        return
    retention = Retention(max_mb=keep_mb, max_days=keep_days)
    with Keeper(keep, share=keep_share, pictures=keep_pictures, retention=retention) as keeper:
        server.serve(settings, started=typer.echo, answered=keeper.offer)
