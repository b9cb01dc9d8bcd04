"""Writes what a local run leaves for people and programs: summary.json and the report."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from pydantic import ValidationError
from tensorflow_metadata.proto.v0 import statistics_pb2

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import UserError
from segpipe.evaluate import balance, evidence, slices
from segpipe.evaluate.failure_page import write_stopped
from segpipe.evaluate.report import Component, Report, Statistic
from segpipe.evaluate.report_page import write_report
from segpipe.ingest import example_files
from segpipe.ingest.bad_picture import Offender
from segpipe.ingest.example_account import ACCOUNT
from segpipe.ingest.shards import Account
from segpipe.io import atomic, lock
from segpipe.pipeline.local import lineage, provenance
from segpipe.pipeline.local.run_state import DONE, FAILED, FILE, INTERRUPTED, RUNNING
from segpipe.pipeline.local.runner import Outcome
from segpipe.pipeline.targets import BASELINE_NODE_ID, PREVIOUS_NODE_ID, LocalTarget

Outputs = Mapping[str, lineage.Output]

_VERSIONS_OF = ("segpipe", "tfx", "tensorflow", "keras", "apache-beam", "tensorflow-model-analysis")


def write(
    config: Config, target: LocalTarget, store: MetadataStore, outcomes: Sequence[Outcome], started_s: float
) -> tuple[dict[str, Any], Path, Path | None]:
    """Writes summary.json and the report of a run that came to its end.

    Returns:
      What summary.json holds, the report's page, and the version that was pushed, or None.
    """
    by_node = {o.node: lineage.outputs(store, o.execution_id) for o in outcomes if o.execution_id is not None}
    summary, report = _write_all(config, target, by_node, _frame(config, outcomes, started_s))
    return summary, report, _pushed(by_node["Pusher"])


def write_again(run_dir: Path, summary: Mapping[str, Any]) -> Path:
    """Writes summary.json and the report of a run anew and runs nothing.

    What nothing but the summary knows (when, how long, how much memory, which versions) is kept as it is.

    Args:
      run_dir: the run's folder.
      summary: what its summary.json holds.

    Returns:
      The report's page.

    Raises:
      UserError: the run never came to its Evaluator, its outputs are gone, or another segpipe wrote it.
    """
    with lock.hold(run_dir, f"{run_dir} is running; its report is written at its end."):
        return _write_again(run_dir, summary)


def _write_again(run_dir: Path, summary: Mapping[str, Any]) -> Path:
    target = LocalTarget(run_dir)
    if not target.metadata_path.is_file():
        raise UserError(f"no {target.metadata_path}; only a run on this machine can be reported again.")
    by_node = lineage.outputs_of_run(lineage.open_store(target.metadata_path), summary["started"])
    if "Evaluator" not in by_node:
        why = f": {summary['error']}" if summary.get("error") else "."
        raise UserError(f"{run_dir} has nothing to report, its last run did not come to the Evaluator{why}")
    for node in ("ExampleGen", "StatisticsGen", "Trainer", "Evaluator"):
        for output in by_node[node].values():
            if not Path(output.uri).exists():
                raise UserError(
                    f"{output.uri}, which {node} wrote, is gone; `segpipe run` makes it again. A run's folder cannot "
                    "be moved: ML Metadata keeps full paths."
                )
    try:
        config = Config.model_validate(summary["config"])
    except ValidationError as error:
        raise UserError(f"{run_dir}/summary.json holds a config that this segpipe cannot read: {error}") from None
    _, report = _write_all(config, target, by_node, summary)
    return report


def _write_all(
    config: Config, target: LocalTarget, by_node: Mapping[str, Outputs], frame: Mapping[str, Any]
) -> tuple[dict[str, Any], Path]:
    report = target.run_dir / "report" / "index.html"
    folder = Path(by_node["Evaluator"]["evaluation"].uri)
    judged = evidence.read(folder)
    pushed = _pushed(by_node.get("Pusher", {}))
    account = _account(by_node["ExampleGen"])
    summary = {
        **frame,
        **evidence.numbers(judged, folder, config.gate.confidence, config.data.classes),
        "model_id": by_node["Trainer"]["model"].id,
        "pushed": [*([str(pushed)] if pushed else []), *_published(by_node.get("HFPusher", {}))],
        "pictures": account.counts,
        "read": account.read,
        "written": account.written,
        "quarantined": account.bad,
        "report": str(report),
    }
    _write_report(config, target, by_node, summary, account, judged, report)
    _write_summary(target.run_dir, summary)
    return summary, report


def write_failure(
    config: Config, outcomes: Sequence[Outcome], started_s: float, error: str, offenders: Sequence[Offender] = ()
) -> None:
    """Writes the summary.json of a run that did not come to its end, and a report where pictures are to blame."""
    summary = {**_frame(config, outcomes, started_s), "status": FAILED, "error": error}
    if offenders:
        report = config.output_path / "report" / "index.html"
        write_stopped(config.name, _minute(summary), error, offenders, report)
        summary["report"] = str(report)
    _write_summary(config.output_path, summary)


def write_running(config: Config, started_s: float) -> None:
    """Writes the summary.json of a run that has just started."""
    _write_summary(config.output_path, {**_frame(config, (), started_s), "status": RUNNING, "pid": os.getpid()})


def write_interrupted(config: Config, outcomes: Sequence[Outcome], started_s: float) -> None:
    """Writes the summary.json of a run that a person stopped."""
    error = "interrupted; the same command continues the run."
    summary = {**_frame(config, outcomes, started_s), "status": INTERRUPTED, "error": error}
    _write_summary(config.output_path, summary)


def key_numbers(node: str, outputs: Outputs) -> str:
    """What a component came to, in a few words for its line on the console."""
    words = _KEY_NUMBERS.get(node)
    return words(outputs) if words else ""


def _example_gen_words(outputs: Outputs) -> str:
    account = _account(outputs)
    left_out = f", {len(account.bad)} of {account.read} left out" if account.bad else ""
    return " · ".join(f"{split} {account.counts.get(split, 0)}" for split in schema.SPLITS) + left_out


def _statistics_words(outputs: Outputs) -> str:
    statistics = _statistics(outputs["statistics"].uri, schema.TRAIN)
    return f"{len(statistics.features)} features over {statistics.num_examples} training pictures"


def _trainer_words(outputs: Outputs) -> str:
    history = _history(outputs)
    best = max(history, key=lambda epoch: epoch["val_mean_iou"])
    return f"eval mean IoU {best['val_mean_iou']:.3f} in epoch {best['epoch']} of {len(history)}"


def _evaluator_words(outputs: Outputs) -> str:
    candidate, _ = evidence.read_scores(outputs["evaluation"].uri)
    verdict = "blessed" if outputs["blessing"].properties.get("blessed") == 1 else "not blessed"
    return f"test mean IoU {candidate.metrics['mean_iou']:.3f}, {verdict}"


def _pusher_words(outputs: Outputs) -> str:
    pushed = _pushed(outputs)
    return f"{pushed.parent.name}/{pushed.name}" if pushed else "nothing: the model is not blessed"


def _hub_words(outputs: Outputs) -> str:
    properties = outputs["pushed_model"].properties
    if properties.get("pushed") != 1:
        return "nothing: the model is not blessed"
    return f"{properties['repo_id']} {properties['branch']}"


_KEY_NUMBERS = {
    "ExampleGen": _example_gen_words,
    "StatisticsGen": _statistics_words,
    PREVIOUS_NODE_ID: lambda outputs: "earlier data to compare with" if "statistics" in outputs else "no earlier data",
    "ExampleValidator": lambda outputs: "no anomalies",
    "Trainer": _trainer_words,
    BASELINE_NODE_ID: lambda outputs: "a champion to beat" if "model" in outputs else "no champion yet",
    "Evaluator": _evaluator_words,
    "Pusher": _pusher_words,
    "HFPusher": _hub_words,
}


def _write_report(
    config: Config,
    target: LocalTarget,
    by_node: Mapping[str, Outputs],
    summary: Mapping[str, Any],
    account: Account,
    judged: evidence.Evidence,
    path: Path,
) -> None:
    made_by = provenance.of_model(target.metadata_path, summary["model_id"])
    report = Report(
        name=config.name,
        when=_minute(summary),
        verdict=judged.verdict,
        classes=config.data.classes,
        image_size=config.data.image_size,
        candidate=judged.candidate,
        champion=judged.champion,
        intervals=judged.intervals,
        confidence=config.gate.confidence,
        slices=slices.score(judged.pictures, config.evaluate.min_slice_pictures),
        gallery=judged.gallery,
        splits={split: summary["pictures"].get(split, 0) for split in schema.SPLITS},
        class_balance={split: balance.class_balance(_shards(by_node, split)) for split in schema.SPLITS},
        statistics=_statistic_rows(by_node["StatisticsGen"]["statistics"].uri),
        pictures_read=account.read,
        quarantined=list(account.bad.items()),
        offenders=account.offenders,
        history=_history(by_node["Trainer"]),
        components=[Component(name, **component) for name, component in summary["components"].items()],
        config=json.dumps(summary["config"], indent=2),
        facts={
            "architecture": config.model.architecture,
            "weights": config.model.weights,
            "test data digest": judged.pictures.data_digest,
            **{f"{step.component} {name.replace('_', ' ')}": d for step in made_by for name, d in step.digests.items()},
        },
        versions=summary["versions"],
    )
    write_report(report, path)


def _minute(summary: Mapping[str, Any]) -> str:
    """When the run started, as in 2026-11-24 05:12."""
    return str(summary["started"]).replace("T", " ")[:16]


def _shards(by_node: Mapping[str, Outputs], split: str) -> list[str]:
    return example_files.shards([f"{by_node['ExampleGen']['examples'].uri}/Split-{split}"])


def _statistic_rows(uri: str) -> list[Statistic]:
    """The numbers of the pictures by split: those of the data contract that are one number per picture."""
    rows = []
    for split in schema.SPLITS:
        for feature in _statistics(uri, split).features:
            name, numbers = feature.path.step[0], feature.num_stats
            if name in schema.IMAGE_STATISTICS:
                rows.append(
                    Statistic(name, split, numbers.mean, numbers.std_dev, numbers.min, numbers.median, numbers.max)
                )
    return sorted(rows, key=lambda row: row.feature)


def _frame(config: Config, outcomes: Sequence[Outcome], started_s: float) -> dict[str, Any]:
    return {
        "name": config.name,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(started_s)),
        "seconds": round(time.time() - started_s, 2),
        "status": DONE,
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


def _write_summary(run_dir: Path, summary: Mapping[str, Any]) -> None:
    atomic.write_text(run_dir / FILE, json.dumps(summary, indent=2) + "\n")


def _pushed(outputs: Outputs) -> Path | None:
    properties = outputs["pushed_model"].properties if outputs else {}
    return Path(str(properties["pushed_destination"])) if properties.get("pushed") == 1 else None


def _published(outputs: Outputs) -> list[str]:
    """Where the Hub shows the model and its Space; folders where it was written to a directory."""
    properties = outputs["pushed_model"].properties if outputs else {}
    return [str(properties[key]) for key in ("repo_url", "space_url") if properties.get(key)]


def _account(outputs: Outputs) -> Account:
    return Account(**json.loads(Path(outputs["examples"].uri, ACCOUNT).read_text(encoding="utf-8")))


def _history(outputs: Outputs) -> list[dict[str, Any]]:
    return json.loads(Path(outputs["model_run"].uri, "history.json").read_text(encoding="utf-8"))


def _statistics(uri: str, split: str) -> statistics_pb2.DatasetFeatureStatistics:
    path = Path(uri, f"Split-{split}", "FeatureStats.pb")
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes()).datasets[0]
