"""The processes that write the parts: none outlives the one that it works for, and none is lost unnoticed."""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass

import pytest

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import RunError
from segpipe.ingest.pool import write_parts
from segpipe.ingest.shards import Layout

PROCESSES = 2
LONGEST_WAIT_S = 120


@dataclass(frozen=True)
class Endless:
    """A part that says who reads it, on standard error, and has no end."""

    size: int = 1

    def records(self):
        os.write(2, f"{os.getpid()}\n".encode())
        threading.Event().wait()
        yield


@dataclass(frozen=True)
class Printing:
    """A part that writes to standard output, and holds nothing."""

    size: int = 0

    def records(self):
        sys.stdout.write("a library's word\n")
        sys.stdout.flush()
        return iter(())


@dataclass(frozen=True)
class Killed:
    """A part at which the system runs out of memory."""

    size: int = 1

    def records(self):
        os.kill(os.getpid(), signal.SIGKILL)
        return iter(())


@dataclass(frozen=True)
class Refused:
    """A part that no worker can write."""

    size: int = 1

    def records(self):
        raise PermissionError(13, "Permission denied", "pictures.tar")


class UnsendableError(Exception):
    def __reduce__(self):
        raise TypeError("cannot pickle this")


class UnreadableError(Exception):
    def __init__(self, what, where):
        super().__init__(f"{what} is {where}")


@dataclass(frozen=True)
class Failing:
    """A part whose error cannot be sent, or not be read where it arrives."""

    error: type
    arguments: tuple[str, ...]
    size: int = 1

    def records(self):
        raise self.error(*self.arguments)


def write(folder, parts):
    config = Config(name="parts", source={"path": str(folder)}, data={"classes": ["a", "b"]})
    layout = Layout(dict.fromkeys(schema.SPLITS, str(folder)), "{split}-{index}-{number}", len(parts))
    return list(write_parts(list(enumerate(parts)), config, layout, PROCESSES))


def test_killed_it_leaves_no_process_that_writes_on(tmp_path):
    command = f"from tests.ingest import test_pool as t; t.write({str(tmp_path)!r}, [t.Endless()] * {PROCESSES})"
    parent = subprocess.Popen([sys.executable, "-c", command], stderr=subprocess.PIPE, text=True)
    workers = {parent.stderr.readline() for _ in range(PROCESSES)}
    assert len(workers) == PROCESSES
    assert f"{parent.pid}\n" not in workers
    parent.kill()
    # Its output ends when the last process that could write to it has ended.
    assert parent.communicate(timeout=LONGEST_WAIT_S)[1] == ""


def test_it_does_not_import_the_callers_main_module(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "print('imported')\n"
        "if __name__ == '__main__':\n"
        "    from tests.ingest import test_pool as t\n"
        f"    t.write({str(tmp_path)!r}, [t.Printing()] * 4)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "imported\n"
    assert done.stderr == "a library's word\n" * 4


def test_a_process_that_the_system_kills_ends_the_work_in_a_sentence(tmp_path):
    with pytest.raises(RunError, match=r"ended with code -9.*memory runs out: .*source\.max_megapixels.*run again"):
        write(tmp_path, [Killed()] * 5)


def test_an_error_in_a_process_is_raised_here_and_says_where_it_was(tmp_path):
    with pytest.raises(PermissionError, match=r"pictures\.tar") as caught:
        write(tmp_path, [Printing(), Refused(), Printing()])
    assert "in records" in caught.value.__notes__[0]


def test_a_part_that_cannot_be_sent_is_no_reason_to_wait(tmp_path):
    with pytest.raises(Exception, match="pickle"):
        write(tmp_path, [lambda: None] * 3)


@pytest.mark.parametrize(
    "part",
    [Failing(UnsendableError, ("the disk is on fire",)), Failing(UnreadableError, ("the disk", "on fire"))],
)
def test_an_error_that_cannot_be_sent_is_told(part, tmp_path):
    with pytest.raises(RunError, match="the disk is on fire"):
        write(tmp_path, [part] * 2)
