"""What a local run leaves for people and programs: the executions' outputs in, summary.json and the report out."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore

from segpipe import atomic
from segpipe.config import Config
from segpipe.pipeline import lineage
from segpipe.pipeline.local import Outcome
from segpipe.pipeline.targets import LocalTarget

_VERSIONS_OF = ("segpipe", "tfx", "tensorflow", "keras", "apache-beam")


def write(
    config: Config, target: LocalTarget, store: MetadataStore, outcomes: Sequence[Outcome], started_s: float
) -> tuple[dict[str, Any], Path, Path | None]:
    """Writes summary.json and the report of a run that came to its end.

    Returns:
      What summary.json holds, the report's page, and the newest pushed version.
    """
    outputs = {
        outcome.node: lineage.outputs(store, outcome.execution_id)
        for outcome in outcomes
        if outcome.execution_id is not None
    }
    raise NotImplementedError


def write_failure(config: Config, outcomes: Sequence[Outcome], started_s: float, error: str) -> None:
    """Writes the summary.json of a run that did not come to its end."""
    _write_summary(config, {**_frame(config, outcomes, started_s), "status": "failed", "error": error})


def _frame(config: Config, outcomes: Sequence[Outcome], started_s: float) -> dict[str, Any]:
    return {
        "name": config.name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started_s)),
        "seconds": round(time.time() - started_s, 2),
        "status": "done",
        "error": None,
        "components": {
            outcome.node: {
                "status": outcome.status,
                "seconds": round(outcome.seconds, 2),
                "peak_rss_mb": round(outcome.peak_rss_mb),
            }
            for outcome in outcomes
        },
        "blessed": None,
        "versions": {package: metadata.version(package) for package in _VERSIONS_OF},
        "config": config.model_dump(mode="json"),
    }


def _write_summary(config: Config, summary: Mapping[str, Any]) -> None:
    atomic.write_text(config.output_path / "summary.json", json.dumps(summary, indent=2) + "\n")
