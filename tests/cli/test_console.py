import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from segpipe.cli.console import RunConsole
from segpipe.progress import Progress


def plain_console():
    stream = io.StringIO()
    return stream, RunConsole(stream, ["ExampleGen", "Trainer"])


def test_without_a_terminal_each_finished_node_is_one_plain_line():
    stream, console = plain_console()
    with console.open():
        console.node_started("ExampleGen")
        console.node_finished("ExampleGen", "done", 1.23, "10 pictures")
        console.node_finished("Trainer", "reused", 0.01, "mean IoU 0.71")
    lines = stream.getvalue().splitlines()
    assert [line.split() for line in lines] == [
        ["✓", "ExampleGen", "1.2", "s", "10", "pictures"],
        ["↺", "Trainer", "mean", "IoU", "0.71"],
    ]
    assert "\x1b" not in stream.getvalue()


def test_without_a_terminal_progress_is_told_when_a_part_is_finished_not_at_every_step():
    stream, console = plain_console()
    with console.open():
        console.node_started("Trainer")
        console._last_plain_s = float("inf")  # As if a line had just been printed.
        for step in range(1, 101):
            console.progress(Progress("epoch 1/2", step, 100, {"loss": 0.5}))
    assert [line.split() for line in stream.getvalue().splitlines()] == [
        ["Trainer", "epoch", "1/2", "100/100", "loss", "0.5"]
    ]


SCRIPT = """
import ctypes, os, sys
from pathlib import Path
from segpipe.cli.console import library_output_to
with library_output_to(Path(sys.argv[1]), verbose=sys.argv[2] == "verbose") as person:
    print("from Python")
    ctypes.CDLL(None).write(2, b"from C\\n", 7)
    print("for a person", file=person)
print("the result")
"""


def run_script(log, verbosity):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(log), verbosity], capture_output=True, text=True, check=True, env=os.environ
    )


def test_library_noise_goes_to_the_log_even_from_c_and_the_person_sees_the_rest(tmp_path):
    log = tmp_path / "logs" / "run.log"
    finished = run_script(log, "quiet")
    assert (finished.stdout, finished.stderr) == ("the result\n", "for a person\n")
    assert sorted(log.read_text().splitlines()) == ["from C", "from Python"]


def test_verbose_shows_everything(tmp_path):
    finished = run_script(tmp_path / "run.log", "verbose")
    assert "from Python" in finished.stdout
    assert "from C" in finished.stderr
    assert not (tmp_path / "run.log").exists()


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_line_has_room_for_loss_and_mean_iou(width):
    stream = io.StringIO()
    console = RunConsole(stream, ["ExampleValidator", "Trainer"])
    console._console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    console.node_started("Trainer")
    console.progress(Progress("epoch 12/20", 32, 39, {"loss": 0.66923, "mean_iou": 0.64123}))
    console._console.print(console._render())
    [line] = stream.getvalue().splitlines()
    assert "epoch 12/20  32/39  loss 0.669  mean IoU 0.6" in line
    assert ("0.641" in line) == (width > 80)
