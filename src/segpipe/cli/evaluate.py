"""`segpipe evaluate RUN|MODEL_DIR --data CONFIG|PATH`: any model of ours on any prepared data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from segpipe import config as config_module
from segpipe import progress, schema
from segpipe.cli.console import library_output_to, plain_progress, shown
from segpipe.config.evaluate import Evaluate, Gate
from segpipe.errors import UserError

_LOG = "evaluation.log"


def evaluate(
    model_dir: Annotated[
        str,
        typer.Argument(help="A run, its folder or a SavedModel; gs:// too.", metavar="RUN|MODEL_DIR"),
    ],
    data: Annotated[
        str,
        typer.Option(metavar="CONFIG|PATH", help="A run's TOML file, or a folder or URL that `segpipe prepare` wrote."),
    ],
    split: Annotated[str, typer.Option(help="train, eval or test.")] = schema.TEST,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the JSON and the page go.")] = Path(
        "evaluation"
    ),
    verbose: Annotated[bool, typer.Option("--verbose", help="Show everything that the libraries print.")] = False,
) -> None:
    """Measure a model on prepared data: evaluation.json for programs, index.html for people."""
    if split not in schema.SPLITS:
        raise UserError(f"--split must be {', '.join(schema.SPLITS)}, got {split!r}.")
    from segpipe.evaluate import places
    from segpipe.savedmodel.find import find

    model = find(model_dir)
    config = config_module.load(data) if data.endswith(".toml") else None
    settings, gate = (config.evaluate, config.gate) if config else (Evaluate(), Gate())
    with (
        library_output_to(out / _LOG, verbose) as person,
        plain_progress(person) as listener,
        progress.listening(listener),
    ):
        shards = places.find_split(_prepared(config) if config else data, split)
        from segpipe.evaluate import evaluation_report

        result = evaluation_report.evaluate_into(
            out, model, data, split, shards, settings, gate.confidence, config.data.classes if config else None
        )
    typer.echo(f"{result['pictures']} pictures, {_score(result)}  ·  report: {shown(Path(result['report']))}", err=True)
    typer.echo(out / evaluation_report.JSON_FILE)


def _score(result: dict[str, Any]) -> str:
    mean_iou, interval = result["metrics"]["mean_iou"], result["mean_iou_interval"]
    if mean_iou is None:
        return "no pixel to judge"
    return f"mean IoU {mean_iou:.3f} ({interval['low']:.3f} … {interval['high']:.3f})"


def _prepared(config: config_module.Config) -> str:
    """The folder of the config's prepared data; made first where it is not there or old."""
    from segpipe.ingest.prepare import prepare

    return prepare(config, config.output_path / "prepared").folder
