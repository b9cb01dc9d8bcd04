"""Runs a TFX pipeline in this process, node by node, and tells an observer about each."""

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Protocol

import psutil
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local import local_dag_runner, runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

DONE = "done"
REUSED = "reused"
FAILED = "failed"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """What became of one node.

    Attributes:
      node: the node's id, as in "Trainer".
      status: DONE, REUSED (an earlier execution answered), FAILED or NOT_RUN.
      seconds: wall time.
      peak_rss_mb: the most memory this process and its children held at once meanwhile.
      execution_id: of ML Metadata; None where nothing was registered.
    """

    node: str
    status: str
    seconds: float = 0.0
    peak_rss_mb: float = 0.0
    execution_id: int | None = None


class Observer(Protocol):
    """Whoever wants to know how the run goes; the console is one."""

    def node_started(self, node: str) -> None:
        """Called before a node's driver runs."""

    def node_finished(self, outcome: Outcome) -> None:
        """Called after each node, and once for each node that a failure leaves out."""


class ObservedLocalDagRunner(local_dag_runner.LocalDagRunner):
    """TFX's LocalDagRunner, which says what it does and what each node cost."""

    def __init__(self, observer: Observer):
        super().__init__()
        self._observer = observer

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs each node in topological order; stops at the first that fails, with that node's own exception."""
        del run_options  # Partial runs come from the cache.
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        store = deployment.metadata_connection_config
        connection = getattr(store, store.WhichOneof("connection_config"))
        nodes = [node.pipeline_node for node in pipeline.nodes]
        for position, node in enumerate(nodes):
            node_id = node.node_info.id
            self._observer.node_started(node_id)
            start = time.monotonic()
            with _peak_rss() as peak:
                try:
                    info = launcher.Launcher(
                        pipeline_node=node,
                        mlmd_connection=metadata.Metadata(connection),
                        pipeline_info=pipeline.pipeline_info,
                        pipeline_runtime_spec=pipeline.runtime_spec,
                        executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
                        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
                    ).launch()
                except BaseException:
                    self._finish(Outcome(node_id, FAILED, time.monotonic() - start, peak.mb()))
                    for left_out in nodes[position + 1 :]:
                        self._finish(Outcome(left_out.node_info.id, NOT_RUN))
                    raise
            execution_id = info.execution_id if info else None
            status = REUSED if _was_cached(connection, execution_id) else DONE
            self._finish(Outcome(node_id, status, time.monotonic() - start, peak.mb(), execution_id))

    def _finish(self, outcome: Outcome) -> None:
        self._observer.node_finished(outcome)


def _was_cached(connection: metadata_store_pb2.ConnectionConfig, execution_id: int | None) -> bool:
    if execution_id is None:
        return False
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([execution_id])
    return execution.last_known_state == metadata_store_pb2.Execution.CACHED


class _Peak:
    """The highest resident memory seen, in bytes, of this process and its children."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._bytes = 0

    def sample(self) -> None:
        total = 0
        for process in [self._process, *self._process.children(recursive=True)]:
            try:
                total += process.memory_info().rss
            except psutil.Error:  # It ended between the listing and the look.
                continue
        self._bytes = max(self._bytes, total)

    def mb(self) -> float:
        self.sample()
        return self._bytes / 2**20


@contextmanager
def _peak_rss(interval_s: float = 0.2) -> Iterator[_Peak]:
    peak, stop = _Peak(), Event()

    def watch() -> None:
        while not stop.wait(interval_s):
            peak.sample()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
