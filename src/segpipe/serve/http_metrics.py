"""What the server counts about itself, for Prometheus; and the middleware that counts each request once."""

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LATENCY_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server; a registry of its own, so that two servers may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "segpipe_requests", "Requests answered, by path and HTTP status.", ["path", "code"], registry=self.registry
        )
        self.latency = Histogram(
            "segpipe_request_seconds", "From the first byte to the answer.", ["path"], buckets=_LATENCY_S,
            registry=self.registry,
        )  # fmt: skip
        self.batch = Histogram(
            "segpipe_batch_pictures", "Pictures in one call of the model.", buckets=_BATCH, registry=self.registry
        )
        self.waiting = Gauge("segpipe_waiting_pictures", "Pictures that wait for the model.", registry=self.registry)
        self.version = Gauge("segpipe_model_version", "Newest version that answers; 0 = none.", registry=self.registry)

    async def page(self, _: Request) -> Response:
        """The metrics in Prometheus' text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """ASGI middleware: counts and times what passes."""

    def __init__(self, app: "ASGIApp", metrics: Metrics):
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started_s, code = time.perf_counter(), 500

        async def watched(message: "Message") -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            # The matched route, not the path as sent: a scanner must not make a time series per guess.
            path = getattr(scope.get("route"), "path", "unknown")
            self._metrics.requests.labels(path, code).inc()
            self._metrics.latency.labels(path).observe(time.perf_counter() - started_s)
