"""Commands as forks of a process that has imported TFX: `python -m MODULE …` without its first eight seconds.

The process is a real one, with pid, exit status and environment of its own.
"""

import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import fsspec.config

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "segpipe.pipeline",  # Serves a module that the others import and tfx-bsl has dropped; imports no other of ours.
        "google.cloud.aiplatform",
        "tensorflow_model_analysis",
        "tfx.components",
        "tfx.extensions.google_cloud_ai_platform.trainer.executor",
        "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
        "tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner",
        "tfx.orchestration.local.local_dag_runner",
    ]
)
_ANEW = {"segpipe", "aiohttp", "gcsfs"}
"""The parent's PYTHONPATH may be another, and so may the certificates that aiohttp reads as it is imported."""


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path, out: Path, err: Path) -> BaseProcess:
    """Starts a command.

    Args:
      command: a Python, "-m", a module's name, and the arguments; or a Python, "-c", a program, and the arguments.
      environment: of the process; its PYTHONPATH comes before this one's.
      folder: where it runs.
      out: gets what it prints.
      err: gets its errors; may be the same file.
    """
    process = _CONTEXT.Process(target=_run, args=(command[1:], dict(environment), folder, out, err))
    process.start()
    return process


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; as `subprocess.run` with capture_output=True, text=True and check=False.

    Raises:
      TimeoutError: it did not end in time, and was killed.
    """
    with tempfile.TemporaryDirectory() as printed:
        out, err = Path(printed, "out"), Path(printed, "err")
        process = start(command, environment, folder, out, err)
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(err.read_text()[-1500:])
        return subprocess.CompletedProcess(command, process.exitcode, out.read_text(), err.read_text())


def _run(command: Sequence[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> None:
    gc.freeze()  # A search for garbage need not look at the million objects of TFX.
    os.environ.clear()
    os.environ.update(environment)
    fsspec.config.set_conf_env(fsspec.config.conf)  # It has read the parent's as it was imported.
    os.chdir(folder)
    for path, printed in ((out, 1), (err, 2)):
        with path.open("ab") as stream:
            os.dup2(stream.fileno(), printed)
    _import_from(environment.get("PYTHONPATH", ""))
    flag, program, *arguments = command
    if flag == "-m":
        sys.argv = [program, *arguments]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [flag, *arguments]
        exec(program, {"__name__": "__main__"})  # noqa: S102


def _import_from(path: str) -> None:
    """Lets this process find modules as a new one with this PYTHONPATH would."""
    sys.path[:0] = path.split(os.pathsep) if path else []
    for name in [name for name in sys.modules if name.partition(".")[0] in _ANEW]:
        del sys.modules[name]
