"""Serves a folder of versions over HTTP: TensorFlow Serving's REST contract and KServe V2."""

import io
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import tensorflow as tf
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from segpipe.errors import UserError
from segpipe.savedmodel.load import LoadedModel
from segpipe.savedmodel.request_error import OVERLOADED, RequestError
from segpipe.serve.answering import Answered, Answerer, RequestLimits
from segpipe.serve.batching import Batcher, BatchLimits
from segpipe.serve.http_body import json_response
from segpipe.serve.http_metrics import Measured, Metrics
from segpipe.serve.http_tfserving import TensorFlowServing
from segpipe.serve.http_v2 import OpenInference
from segpipe.serve.versions import Versions

_log = logging.getLogger(__name__)
_DRAIN_S = 30
_BACKLOG = 4096


@dataclass(frozen=True)
class Settings:
    """How one model is served.

    Attributes:
      name: what clients call the model.
      folder: path or URL; holds one SavedModel per numbered folder.
      host: address to listen on.
      port: 0 takes a free one.
      workers: batches that run at once; 0 means one per CPU core, or one with a GPU.
      keep_versions: how many of the newest versions answer.
      poll_s: how often the folder is looked at.
      requests: limits of one request.
      batches: limits of the queue.
    """

    name: str
    folder: str
    host: str = "127.0.0.1"
    port: int = 8501
    workers: int = 0
    keep_versions: int = 1
    poll_s: float = 1.0
    requests: RequestLimits = field(default_factory=RequestLimits)
    batches: BatchLimits = field(default_factory=BatchLimits)


@contextmanager
def application(
    settings: Settings, answered: Answered = lambda model, pictures, predictions: None
) -> Iterator[Starlette]:
    """The ASGI app, with its model loaded and its workers running while the context lasts.

    Args:
      settings: what to serve.
      answered: see `Answerer`.
    """
    metrics = Metrics()
    workers = settings.workers or _default_workers()
    with (
        Batcher(workers, settings.batches, metrics.batch.observe) as batcher,
        Versions(settings.folder, settings.keep_versions, settings.poll_s, _warm_up) as versions,
    ):
        metrics.waiting.set_function(lambda: batcher.waiting)
        metrics.version.set_function(lambda: versions.get().version if versions.ready else 0)
        answerer = Answerer(batcher, settings.requests, answered)
        yield Starlette(
            routes=[
                *TensorFlowServing(settings.name, versions, answerer).routes(),
                *OpenInference(settings.name, versions, answerer).routes(),
                Route("/metrics", metrics.page),
                Route("/monitoring/prometheus/metrics", metrics.page),  # as TensorFlow Serving has it
            ],
            middleware=[Middleware(Measured, metrics=metrics)],
            exception_handlers={RequestError: _refuse, HTTPException: _refuse_route, Exception: _fail},
        )


def serve(
    settings: Settings,
    started: Callable[[str], None],
    answered: Answered = lambda model, pictures, predictions: None,
) -> None:
    """Serves until SIGTERM or SIGINT; then finishes what it has accepted.

    Args:
      settings: what to serve.
      started: told the model's address once the server listens.
      answered: see `application`.

    Raises:
      UserError: the address is taken.
    """
    share_cores(settings.workers or _default_workers())
    with _listening(settings.host, settings.port) as listener, application(settings, answered) as app:
        host, port = listener.getsockname()[:2]
        started(f"http://{host}:{port}/v1/models/{settings.name}")
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_DRAIN_S)
        with _ending_here():
            uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _ending_here() -> Iterator[None]:
    """Lets the contexts around the server close: uvicorn raises the signal that ended it once more, to end the process.

    https://github.com/encode/uvicorn/blob/master/uvicorn/server.py, capture_signals
    """
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off, 40 ms an answer, only on sockets that name their protocol.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise UserError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port.") from None
        listener.listen(_BACKLOG)
        yield listener


def share_cores(workers: int) -> None:
    """Gives each worker its share of the cores; TensorFlow takes this only before its first operation.

    Two batches that run on one core each finish sooner than the same two one after the other on two cores.
    """
    cores = os.cpu_count() or 1
    tf.config.threading.set_intra_op_parallelism_threads(max(1, cores // workers))
    tf.config.threading.set_inter_op_parallelism_threads(max(2, cores))


def _default_workers() -> int:
    return 1 if tf.config.list_physical_devices("GPU") else os.cpu_count() or 1


def _warm_up(model: LoadedModel) -> None:
    """Runs the first batch, which is slow, before clients see the version."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 64)).save(stream, "PNG")
    for size in (1, 2):
        model.signature().run([stream.getvalue()] * size)


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RequestError) else 500
    headers = {"Retry-After": "1"} if status == OVERLOADED else None
    return json_response({"error": str(error)}, status, headers)


async def _refuse_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = f"there is nothing at {request.method} {request.url.path}; docs/serving.md lists the addresses."
    return json_response({"error": sentence}, status)


async def _fail(_: Request, error: Exception) -> Response:
    _log.error("A request failed.", exc_info=error)
    return json_response({"error": "the server failed on this request; its log says why."}, 500)
