"""Runs the pipeline here and leaves serving, report and summary; safe to kill and to repeat."""

import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpipe.config import Config
from segpipe.errors import RunError, SegpipeError
from segpipe.ingest import listing
from segpipe.ingest.bad_picture import BadPicturesError
from segpipe.io import lock
from segpipe.model import architectures
from segpipe.pipeline import graph
from segpipe.pipeline.components.pusher import remove_half_written
from segpipe.pipeline.local import lineage, run_summary, runner
from segpipe.pipeline.targets import LocalTarget
from segpipe.train import tracking

_log = logging.getLogger(__name__)

NodeStarted = Callable[[str], None]
NodeFinished = Callable[[runner.Outcome, str], None]

_BUSY = "another run is using {folder}; wait for it, or set another output_dir."
_OUT_OF_MEMORY = "lower train.batch_size, train.cache_gb or data.image_size"
_KILLED = (
    "the last run was killed in {node}; this one continues it. Where the system did it for want of memory (`dmesg` "
    f"says so), {_OUT_OF_MEMORY}."
)


@dataclass(frozen=True)
class Finished:
    """What a run came to.

    Attributes:
      summary: what summary.json holds.
      report: the page.
      pushed: the newest serving version, or None where nothing was ever pushed.
    """

    summary: dict[str, Any]
    report: Path
    pushed: Path | None

    @property
    def blessed(self) -> bool:
        """Whether the gate let the model pass."""
        return bool(self.summary["blessed"])


def run(
    config: Config,
    node_started: NodeStarted,
    node_finished: NodeFinished,
    planned: Callable[[Sequence[str]], None] = lambda nodes: None,
    fresh: bool = False,
    override_blessing: str = "",
    say: Callable[[str], None] = _log.warning,
) -> Finished:
    """Runs the pipeline here.

    Args:
      config: what to run.
      node_started: told each node as it starts.
      node_finished: told each node's outcome and its key numbers in a few words.
      planned: told the ids of all nodes, in order, before the first one starts.
      fresh: run every component again instead of reusing what an earlier run finished.
      override_blessing: why a person blesses the model whatever the gate says; empty when nobody does.
      say: told, in a sentence, what a person should know of the last run.

    Raises:
      UserError: the data or the config is wrong.
      RunError: another run holds the folder, or a component failed.
    """
    architectures.check(config.model, config.directory)
    tracking.check(config)
    target = LocalTarget(config.output_path)
    with lock.hold(target.run_dir, _BUSY.format(folder=target.run_dir)):
        started_s = time.time()
        run_summary.write_running(config, started_s)
        store = lineage.open_store(target.metadata_path)
        for node in lineage.close_interrupted(store, Path(target.pipeline_root)):
            say(_KILLED.format(node=node))
        remove_half_written(target.serving_dir)
        observer = _Notes(store, node_started, node_finished)
        try:
            pipeline = graph.build(config, target, enable_cache=not fresh, override_blessing=override_blessing)
            planned([node.id for node in pipeline.components])
            runner.ObservedLocalDagRunner(observer).run(pipeline)
        except KeyboardInterrupt:
            run_summary.write_interrupted(config, observer.outcomes, started_s)
            raise
        except SegpipeError as error:
            offenders = error.offenders if isinstance(error, BadPicturesError) else ()
            run_summary.write_failure(config, observer.outcomes, started_s, str(error), offenders)
            raise
        except Exception as error:
            _log.exception("A component failed.")
            failed = observer.outcomes[-1] if observer.outcomes else None
            failed = next((o for o in observer.outcomes if o.status == runner.FAILED), failed)
            sentence = _in_a_sentence(failed.node if failed else "The pipeline", error)
            run_summary.write_failure(config, observer.outcomes, started_s, sentence)
            raise RunError(sentence) from error
        finally:
            listing.drop()
        return Finished(*run_summary.write(config, target, store, observer.outcomes, started_s))


class _Notes:
    """Collects the outcomes and words each one's key numbers."""

    def __init__(self, store: lineage.MetadataStore, node_started: NodeStarted, node_finished: NodeFinished):
        self.outcomes: list[runner.Outcome] = []
        self._store = store
        self._started = node_started
        self._finished = node_finished

    def node_started(self, node: str) -> None:
        self._started(node)

    def node_finished(self, outcome: runner.Outcome) -> None:
        self.outcomes.append(outcome)
        note = ""
        if outcome.execution_id is not None:
            note = run_summary.key_numbers(outcome.node, lineage.outputs(self._store, outcome.execution_id))
        self._finished(outcome, note)


def _in_a_sentence(node: str, error: Exception) -> str:
    if isinstance(error, MemoryError) or "OOM" in str(error):
        return f"{node} ran out of memory; {_OUT_OF_MEMORY} and run again."
    if os.strerror(errno.ENOSPC) in str(error):  # TensorFlow and Beam wrap it in errors of their own.
        return f"{node} found the disk full; free some space or set output_dir elsewhere, and run again: it continues."
    first_line = (str(error).strip().splitlines() or [""])[0][:300]
    return f"{node} failed: {type(error).__name__}: {first_line}"
