"""Writes parts with as many processes as there are cores, and returns their accounts in order.

`python -m segpipe.ingest.pool` is such a process: parts come in by its standard input, accounts go out by its standard
output, both pickled. The spawned processes of `multiprocessing` import the caller's main module first, and in a
container of TFX that is TFX; forked ones may hang where TensorFlow runs.
"""

import os
import pickle
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from subprocess import PIPE, Popen
from types import TracebackType
from typing import IO, Any, Self, cast

import numpy as np

from segpipe.config import Config
from segpipe.errors import RunError
from segpipe.ingest.record import Part
from segpipe.ingest.shards import Account, Layout, write_part

_LARGEST_BLOCK = 16 << 20
"""Bytes; a picture's buffers are smaller, as a rule. glibc looks at blocks of up to 32 MB."""


class Pool:
    """Processes that write parts. They start at once, and load what they need while the caller finds the parts."""

    def __init__(self, processes: int) -> None:
        self._stack = ExitStack()
        self._workers = [self._stack.enter_context(_Worker()) for _ in range(processes)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def write(self, parts: Sequence[tuple[int, Part]], config: Config, layout: Layout) -> Iterator[tuple[int, Account]]:
        """Writes every part; two per process are under way or waiting at a time: memory does not grow with the source.

        Args:
          parts: each with its number.
          config: of the run.
          layout: where the files go.

        Yields:
          The number of each part and its account, in the order of `parts`.

        Raises:
          RunError: a process was killed.
        """
        idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            idle.put(worker)

        def write_one(index: int, part: Part) -> Account:
            worker = idle.get()
            try:
                return worker.write_part(part, config, layout, index)
            finally:
                idle.put(worker)

        with ThreadPoolExecutor(len(self._workers)) as threads:
            waiting: deque[tuple[int, Future[Account]]] = deque()
            try:
                for index, part in parts:
                    waiting.append((index, threads.submit(write_one, index, part)))
                    if len(waiting) >= 2 * len(self._workers):
                        first, future = waiting.popleft()
                        yield first, future.result()
                for first, future in waiting:
                    yield first, future.result()
            finally:
                threads.shutdown(cancel_futures=True)


def write_parts(
    parts: Sequence[tuple[int, Part]], config: Config, layout: Layout, processes: int
) -> Iterator[tuple[int, Account]]:
    """Writes every part, in a pool unless one process, this one, is enough; see `Pool.write`."""
    if processes == 1 or len(parts) == 1:
        for index, part in parts:
            yield index, write_part(part, config, layout, index)
        return
    with Pool(min(processes, len(parts))) as pool:
        yield from pool.write(parts, config, layout)


class _Worker:
    """One process, which does a part at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-m", "segpipe.ingest.pool"]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, env=environment)
        self._requests, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(BrokenPipeError):
            self._requests.close()  # It ends when nobody can ask it for more.
        self._answers.close()
        self._process.wait()

    def write_part(self, part: Part, config: Config, layout: Layout, index: int) -> Account:
        """As `segpipe.ingest.shards.write_part`, there.

        Raises:
          RunError: the process was killed.
        """
        request = pickle.dumps((part, config, layout, index))
        try:
            self._requests.write(request)
            self._requests.flush()
            answer: Account | BaseException = pickle.load(self._answers)  # noqa: S301 (Our own process.)
        except (BrokenPipeError, EOFError):
            raise RunError(
                f"a process that reads pictures ended with code {self._process.wait()}; -9 is the system's when memory "
                "runs out: lower source.max_megapixels or close other programs, and run again."
            ) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _work(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Writes parts as they come; ends this process, in the middle of one if need be, when nobody can ask for more.

    Left alone, it would write on beside the run that continues.
    """
    # glibc gives memory back to the system once twice the largest block that it has seen freed lies idle, and each page
    # costs when it comes again: a quarter of the time for colour masks. One such block, never touched, ends that.
    np.empty(_LARGEST_BLOCK, np.uint8)
    received: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, received), daemon=True).start()
    while True:
        answers.write(_answer(*received.get()))
        answers.flush()


def _answer(*request: Any) -> bytes:
    """The pickled account, or what was raised in its place."""
    try:
        return pickle.dumps(write_part(*request))
    except Exception as error:
        error.add_note(traceback.format_exc())
        try:
            sent = pickle.dumps(error)
            pickle.loads(sent)  # noqa: S301 (Some can be written, but not read.)
        except Exception:
            return pickle.dumps(RunError("".join(traceback.format_exception(error))))
        return sent


def _receive(requests: IO[bytes], received: "SimpleQueue[Any]") -> None:
    try:
        while True:
            received.put(pickle.load(requests))  # noqa: S301 (From the process that started this one.)
    except (EOFError, pickle.UnpicklingError):  # It is gone, perhaps in the middle of a request.
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    answers_only = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # What a library prints must not come between.
    with suppress(KeyboardInterrupt):  # Whoever pressed the key hears of it from the process that started this one.
        _work(sys.stdin.buffer, answers_only)
