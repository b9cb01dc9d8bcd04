"""What a stage is doing now, told to whoever listens: the console of a laptop, the log of a cloud worker.

A stage calls `report`; it never prints. The command line sets a listener for the time of one command.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """One step of a long piece of work.

    Attributes:
      what: what is counted, as in "pictures" or "epoch 3/8".
      done: how many are finished.
      total: how many there are, or None where that is unknown.
      numbers: figures to show beside the bar, as in {"loss": 0.41}.
    """

    what: str
    done: int
    total: int | None = None
    numbers: dict[str, float] = field(default_factory=dict)


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
"""The innermost is the last; not a ContextVar, since Beam's in-process runner works in threads of its own."""


def report(what: str, done: int, total: int | None = None, **numbers: float) -> None:
    """Tells the listener, if there is one, how far the work is."""
    if _listeners:
        _listeners[-1](Progress(what, done, total, numbers))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Sends every `report` of this process to `listener`."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.pop()
