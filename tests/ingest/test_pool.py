"""The processes that write the parts: none outlives the one that it works for."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass

from segpipe import schema
from segpipe.config import Config
from segpipe.ingest.pool import write_parts
from segpipe.ingest.shards import Layout

PROCESSES = 2
LONGEST_WAIT_S = 120


@dataclass(frozen=True)
class Endless:
    """A part that says who reads it and has no end."""

    size: int = 1

    def records(self):
        os.write(1, f"{os.getpid()}\n".encode())
        threading.Event().wait()
        yield


def write_endless_parts(folder):
    config = Config(name="endless", source={"path": folder}, data={"classes": ["a", "b"]})
    layout = Layout(dict.fromkeys(schema.SPLITS, folder), "{split}-{index}-{number}", PROCESSES)
    list(write_parts(list(enumerate([Endless()] * PROCESSES)), config, layout, PROCESSES))


def test_killed_it_leaves_no_process_that_writes_on(tmp_path):
    command = f"from tests.ingest.test_pool import write_endless_parts; write_endless_parts({str(tmp_path)!r})"
    parent = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True)
    workers = {parent.stdout.readline() for _ in range(PROCESSES)}
    assert len(workers) == PROCESSES
    assert f"{parent.pid}\n" not in workers
    parent.kill()
    # Its output ends when the last process that could write to it has ended.
    assert parent.communicate(timeout=LONGEST_WAIT_S)[0] == ""
