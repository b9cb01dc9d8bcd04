"""Commands as forks of a process that has imported TFX: `python -m MODULE …` without its first eight seconds.

The process is a real one, with pid, exit status and environment of its own. It imports segpipe's modules itself.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import fsspec.config

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "segpipe.pipeline",  # Serves a module that the others import and tfx-bsl has dropped; imports no other of ours.
        "tfx.components",
        "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
        "tfx.orchestration.local.local_dag_runner",
    ]
)


def start(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> BaseProcess:
    """Starts a command.

    Args:
      command: a Python, "-m", a module's name, and the arguments.
      environment: of the process.
      folder: where it runs.
      log: gets what it prints.
    """
    _, flag, module, *arguments = command
    assert flag == "-m", f"not python -m MODULE: {command}"
    process = _CONTEXT.Process(target=_run, args=(module, arguments, dict(environment), folder, log))
    process.start()
    return process


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; `stdout` of the result is all that it printed.

    Raises:
      TimeoutError: it did not end in time, and was killed.
    """
    process = start(command, environment, folder, log)
    process.join(timeout_s)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(log.read_text()[-1500:])
    return subprocess.CompletedProcess(command, process.exitcode, log.read_text())


def _run(module: str, arguments: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    fsspec.config.set_conf_env(fsspec.config.conf)  # It has read the parent's as it was imported.
    os.chdir(folder)
    with log.open("wb") as stream:
        for printed in (1, 2):
            os.dup2(stream.fileno(), printed)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
