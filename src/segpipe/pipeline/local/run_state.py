"""Reads the summary of a run with the state that the run is really in: a killed process cannot write its own end."""

import json
from pathlib import Path
from typing import Any, Final

from segpipe.io import lock

FILE: Final = "summary.json"

RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
INTERRUPTED: Final = "interrupted"
"""By Ctrl-C."""
KILLED: Final = "killed"
"""The process is gone, and nothing says how it ended; no summary holds this state, readers find it out."""


def read(run_dir: Path) -> dict[str, Any]:
    """What summary.json in a run's folder holds, with the true `status`.

    Raises:
      FileNotFoundError: there is none.
    """
    summary = json.loads((run_dir / FILE).read_text(encoding="utf-8"))
    if summary.get("status") == RUNNING and not lock.is_held(run_dir):
        summary |= {"status": KILLED, "error": "the process was killed; the same command continues the run."}
    return summary
