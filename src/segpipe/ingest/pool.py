"""Parts in, their files and accounts out in order, written by as many processes as there are cores."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np

from segpipe.config import Config
from segpipe.ingest.record import Part
from segpipe.ingest.shards import Account, Layout, write_part

_LARGEST_BLOCK = 16 << 20
"""Bytes; a picture's buffers are smaller, as a rule. glibc looks at blocks of up to 32 MB."""


def write_parts(
    parts: Sequence[tuple[int, Part]], config: Config, layout: Layout, processes: int
) -> Iterator[tuple[int, Account]]:
    """Writes every part; two per process are under way or waiting at a time, so memory does not grow with the source.

    Args:
      parts: each with its number.
      config: of the run.
      layout: where the files go.
      processes: how many; with 1, or for a single part, the work is done in this one.

    Yields:
      The number of each part and its account, in the order of `parts`.
    """
    if processes == 1 or len(parts) == 1:
        for index, part in parts:
            yield index, write_part(part, config, layout, index)
        return
    # Spawned, since a forked child of a process that runs TensorFlow may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(parts)), context, _start) as pool:
        waiting: deque[tuple[int, Future[Account]]] = deque()
        try:
            for index, part in parts:
                waiting.append((index, pool.submit(write_part, part, config, layout, index)))
                if len(waiting) >= 2 * processes:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start() -> None:
    """Prepares a process of the pool."""
    # glibc gives memory back to the system once twice the largest block that it has seen freed lies idle, and each page
    # costs when it comes again: a quarter of the time for colour masks. One such block, never touched, ends that.
    np.empty(_LARGEST_BLOCK, np.uint8)
    _end_with_parent()


def _end_with_parent() -> None:
    """Has this process end when the one that it works for is gone, however that ended.

    Left alone, it would write on beside the run that continues, and then wait for more work for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
