"""Batches single items of many requests: what waits when a worker is free goes to the model together.

No timer holds an item back. One lone client gets the latency of a batch of one; under load the batches fill by
themselves while the workers are busy.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Self

from segpipe.savedmodel.load import Outputs, Signature
from segpipe.savedmodel.request_error import OVERLOADED, RequestError


@dataclass(frozen=True)
class BatchLimits:
    """How much goes together, and how much may wait.

    Attributes:
      max_batch: items in one call of the model.
      max_batch_megapixels: decoded size of one batch, so that memory stays flat; a lone larger picture still runs.
      max_waiting: items that wait before further requests are turned away.
      max_waiting_mb: likewise, encoded.
    """

    max_batch: int = 8
    max_batch_megapixels: float = 50.0
    max_waiting: int = 1024
    max_waiting_mb: float = 512.0


@dataclass
class _Item:
    signature: Signature
    data: bytes
    pixels: int
    future: "Future[Outputs]" = field(default_factory=Future)


class Batcher:
    """Worker threads that share one queue; TensorFlow lets go of the GIL while it computes."""

    def __init__(self, workers: int, limits: BatchLimits, on_batch: Callable[[int], None] = lambda size: None):
        self._limits = limits
        self._on_batch = on_batch
        self._waiting: deque[_Item] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._threads = [threading.Thread(target=self._work, name=f"batch-{n}", daemon=True) for n in range(workers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finishes what waits, then stops the workers."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        """How many items wait for a worker."""
        return len(self._waiting)

    def submit(self, signature: Signature, items: Iterable[tuple[bytes, int]]) -> "list[Future[Outputs]]":
        """Queues the items of one request, each with its size in pixels; all of them or none.

        Raises:
          RequestError: 503, too many items wait already.
        """
        queued = [_Item(signature, data, pixels) for data, pixels in items]
        size = sum(len(item.data) for item in queued)
        limits = self._limits
        with self._changed:
            too_many = len(self._waiting) + len(queued) > limits.max_waiting
            if too_many or self._waiting_bytes + size > limits.max_waiting_mb * 1e6:
                raise RequestError(
                    f"{len(self._waiting)} pictures wait already ({self._waiting_bytes / 1e6:.0f} MB) and this server "
                    f"lets {limits.max_waiting} wait ({limits.max_waiting_mb:g} MB); try again in a moment.",
                    OVERLOADED,
                )
            self._waiting.extend(queued)
            self._waiting_bytes += size
            self._changed.notify(len(queued))
        return [item.future for item in queued]

    def _work(self) -> None:
        while batch := self._next_batch():
            running = [item for item in batch if item.future.set_running_or_notify_cancel()]
            if running:
                self._on_batch(len(running))
                _run(running)

    def _next_batch(self) -> list[_Item]:
        """Waits for work; empty when the batcher closes and nothing waits."""
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return []
                self._changed.wait()
            batch = [self._waiting.popleft()]
            pixels = batch[0].pixels
            while self._waiting and len(batch) < self._limits.max_batch:
                following = self._waiting[0]
                pixels += following.pixels
                if following.signature is not batch[0].signature or pixels > self._limits.max_batch_megapixels * 1e6:
                    break
                batch.append(self._waiting.popleft())
            self._waiting_bytes -= sum(len(item.data) for item in batch)
            return batch


def _run(batch: list[_Item]) -> None:
    try:
        results = batch[0].signature.run([item.data for item in batch])
    except Exception as error:
        if len(batch) == 1:
            batch[0].future.set_exception(error)
            return
        # One bad picture must not spoil its neighbours' answers.
        for item in batch:
            _run([item])
        return
    for item, result in zip(batch, results, strict=True):
        item.future.set_result(result)
