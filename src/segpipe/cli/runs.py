"""`segpipe runs`: what has been run, from the summaries that the runs left."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from segpipe.errors import UserError


def runs(
    folder: Annotated[Path, typer.Argument(help="Where the runs are.", metavar="[FOLDER]")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the runs: when, status, seconds, mean IoU, blessed."""
    if not folder.is_dir():
        raise UserError(f"no runs here: {folder} does not exist. `segpipe run CONFIG` makes one.")
    summaries = sorted(
        (json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*/summary.json")),
        key=lambda summary: summary["started"],
        reverse=True,
    )
    if as_json:
        typer.echo(json.dumps(summaries, indent=2))
        return
    table = Table("run", "when", "status", "seconds", "mean IoU", "blessed", box=None, pad_edge=False)
    for summary in summaries:
        table.add_row(*_row(summary))
    Console().print(table)


def _row(summary: dict[str, Any]) -> tuple[str, ...]:
    candidate = (summary.get("metrics") or {}).get("candidate") or {}
    mean_iou = candidate.get("mean_iou")
    return (
        summary["name"],
        summary["started"].replace("T", " ")[:16],
        summary["status"],
        f"{summary['seconds']:.0f}",
        "–" if mean_iou is None else f"{mean_iou:.3f}",
        {True: "yes", False: "no", None: "–"}[summary.get("blessed")],
    )
