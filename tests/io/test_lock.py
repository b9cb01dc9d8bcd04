"""One process at a time works in a folder, and a process that dies lets go of it."""

import subprocess
import sys

import pytest

from segpipe.errors import RunError
from segpipe.io import lock

HOLDER = """
import sys
from pathlib import Path
from segpipe.io import lock
with lock.hold(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_refused_until_the_holder_dies(tmp_path):
    folder = tmp_path / "run"
    assert not lock.is_held(folder)
    arguments = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert lock.is_held(folder)
        with pytest.raises(RunError, match="somebody works here"), lock.hold(folder, "somebody works here"):
            pass
        holder.kill()
    assert not lock.is_held(folder)
    with lock.hold(folder, "busy"):
        assert lock.is_held(folder)
