"""What a person gets who only asks: within moments, and without TensorFlow or TFX."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from segpipe.cli.main import app

SLOW_MODULES = ("tensorflow", "keras", "tfx", "apache_beam", "grpc", "matplotlib", "pandas", "numpy")
LIBRARIES = "import pydantic, rich.console, typer"
MAX_TIMES = {"--help": 5, "doctor": 10}
"""Processor seconds of the verb, in those of importing what every command line of this kind is made of."""

MEASURE = """
import os, sys
from segpipe.cli import main
sys.argv = ["segpipe", *sys.argv[1:]]
try:
    main.main()
finally:
    loaded = [name for name in {slow!r} if name in sys.modules]
    sys.__stderr__.write("\\n%f %s" % (sum(os.times()[:2]), ",".join(loaded)))
"""


def ask(folder, *arguments):
    """The finished process, its processor seconds, and which of the slow modules it had imported."""
    code = MEASURE.format(slow=SLOW_MODULES)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=folder, check=False
    )
    cpu_s, _, loaded = done.stderr.rsplit("\n", 1)[-1].partition(" ")
    return done, float(cpu_s), loaded


def libraries_cpu_s():
    """Of a process that only imports them."""
    code = f"{LIBRARIES}; import os; print(sum(os.times()[:2]))"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("verb", MAX_TIMES)
def test_asking_takes_moments_and_imports_nothing_slow(verb, tmp_path):
    asked = [ask(tmp_path, verb) for _ in range(3)]
    assert all(loaded == "" for _, _, loaded in asked)
    libraries_s = min(libraries_cpu_s() for _ in range(3))
    assert min(cpu_s for _, cpu_s, _ in asked) < MAX_TIMES[verb] * libraries_s


def test_help_names_every_verb(tmp_path):
    done, _, _ = ask(tmp_path, "--help")
    assert done.returncode == 0
    verbs = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert {"init", "prepare", "run", "predict", "runs", "doctor"} <= set(verbs)
    assert [verb for verb in verbs if f"\n  {verb} " not in done.stdout] == []


def test_the_version_is_the_packages(tmp_path):
    done, _, _ = ask(tmp_path, "--version")
    assert done.stdout.strip() == version("segpipe")


def test_a_mistyped_verb_is_told_the_nearest(tmp_path):
    done, _, loaded = ask(tmp_path, "rnu")
    assert done.returncode == 2
    assert "Did you mean 'run'" in done.stderr
    assert loaded == ""


def test_predict_refuses_a_wrong_name_in_one_line_before_tensorflow_is_loaded(tmp_path):
    done, _, loaded = ask(tmp_path, "predict", "model", "photo.jpg")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("segpipe: there is no file photo.jpg.")
    assert loaded in ("", "numpy")
