"""Runs the pipeline for each config of a drill, once, however often the drill is called.

A later call must not run the first config again: the gate would compare its model with the answers that came after it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpipe.config import Config
from segpipe.config.train import WITHOUT_EFFECT
from segpipe.errors import RunError
from segpipe.io import atomic
from segpipe.pipeline.digest import code_digest
from segpipe.pipeline.local import lineage, runner
from segpipe.pipeline.local import run as pipeline_run
from segpipe.pipeline.targets import LocalTarget

_LEFT_OUT: dict[str, bool | set[str]] = {
    **dict.fromkeys(("output_dir", "hub", "dataflow", "vertex", "watch", "drill"), True),
    "train": set(WITHOUT_EFFECT),
}
"""What changes neither the model of a local run nor the gate's verdict on it."""


@dataclass(frozen=True)
class Outcome:
    """What one run of the pipeline came to.

    Attributes:
      path: of the SavedModel that it trained.
      blessed: whether the gate let it through.
      reasons: the gate's, one sentence for each rule, those that were broken first.
      train_seconds: wall time of its Trainer.
      pushed: the version in the serving folder; empty where nothing was pushed.
    """

    path: str
    blessed: bool
    reasons: tuple[str, ...]
    train_seconds: float
    pushed: str


def digest(config: Config) -> str:
    """Names all that the outcome of a run depends on, besides the champion: 16 hexadecimal digits."""
    settings = json.dumps(config.model_dump(mode="json", exclude=_LEFT_OUT), sort_keys=True)
    return hashlib.sha256(f"{code_digest('segpipe.pipeline.graph')}{settings}".encode()).hexdigest()[:16]


class Runs:
    """Runs the pipeline, and writes down in a file what came of it."""

    def __init__(self, memory: Path, started: pipeline_run.NodeStarted, finished: pipeline_run.NodeFinished):
        self._memory = memory
        self._started = started
        self._finished = finished
        self._trainer: runner.Outcome | None = None

    def run(self, config: Config) -> Outcome:
        """Runs `config`, or reads what an earlier call of the same code found.

        Raises:
          UserError: the config or the data is wrong.
          RunError: the run failed.
        """
        key = digest(config)
        known = self._read().get(key)
        if known is not None and Path(known["path"]).is_dir():
            return Outcome(**{**known, "reasons": tuple(known["reasons"])})
        finished = pipeline_run.run(config, self._started, self._note)
        if self._trainer is None or self._trainer.execution_id is None:
            raise RunError("the run has no Trainer; a drill needs the whole pipeline.")
        store = lineage.open_store(LocalTarget(config.output_path).metadata_path)
        model = lineage.outputs(store, self._trainer.execution_id)["model"]
        outcome = Outcome(
            path=str(Path(model.uri) / "Format-Serving"),
            blessed=finished.blessed,
            reasons=_reasons(finished.summary),
            train_seconds=round(self._trainer.seconds, 1),
            pushed=str(finished.pushed or ""),
        )
        atomic.write_text(self._memory, json.dumps({**self._read(), key: asdict(outcome)}, indent=1) + "\n")
        return outcome

    def _read(self) -> dict[str, Any]:
        return json.loads(self._memory.read_text(encoding="utf-8")) if self._memory.is_file() else {}

    def _note(self, outcome: runner.Outcome, note: str) -> None:
        if outcome.node == "Trainer":
            self._trainer = outcome
        self._finished(outcome, note)


def _reasons(summary: dict[str, Any]) -> tuple[str, ...]:
    rules = sorted(summary["rules"], key=lambda rule: rule["passed"] is not False)
    return tuple(rule["sentence"] for rule in rules)
