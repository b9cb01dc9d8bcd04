"""`segpipe runs`, `runs show RUN`, `runs compare A B`: what has been run, from the summaries that the runs left."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from segpipe.errors import UserError
from segpipe.pipeline.local import run_comparison, run_state

_SHORT_DIGEST = 12

app = typer.Typer(help="List the runs, show one, or compare two.", invoke_without_command=True)


@app.callback()
def runs(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("--in", help="Where the runs are.", metavar="DIR")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List the runs: when, status, seconds, mean IoU, blessed."""
    context.obj = folder
    if context.invoked_subcommand is not None:
        return
    if not folder.is_dir():
        raise UserError(f"no runs here: {folder} does not exist. `segpipe run CONFIG` makes one.")
    summaries = sorted(
        (run_state.read(path.parent) for path in folder.glob(f"*/{run_state.FILE}")),
        key=lambda summary: summary["started"],
        reverse=True,
    )
    if as_json:
        typer.echo(json.dumps(summaries, indent=2))
        return
    table = _table("run", "when", "status", "seconds", "mean IoU", "blessed")
    for summary in summaries:
        table.add_row(*_row(summary))
    Console().print(table)


@app.command("show")
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's name or folder.", metavar="RUN")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show one run: its scores, its verdict and, from ML Metadata, what made its model."""
    folder, summary = find_run(run, context.obj)
    steps = _steps(folder, summary)
    if summary["status"] != run_state.DONE and not as_json:
        typer.echo(f"{summary['status']}{': ' + summary['error'] if summary['error'] else '.'}", err=True)
    if as_json:
        typer.echo(json.dumps({**summary, "lineage": [asdict(step) for step in steps]}, indent=2))
        return
    console = Console()
    table = _table("score", "value")
    for row in run_comparison.scores(summary, {}):
        table.add_row(row.name, _text(row.first))
    console.print(table)
    for rule in summary.get("rules") or ():
        mark = {True: "✓", False: "✗", None: "–"}[rule["passed"]]
        console.print(f"{mark} {rule['sentence']}", markup=False, highlight=False)
    console.print()
    made = _table("step", "execution", "source", "schema", "code", "from")
    for step in steps:
        digests = (step.digests.get(f"{of}_digest", "–")[:_SHORT_DIGEST] for of in ("source", "schema", "code"))
        made.add_row(step.component, str(step.execution_id), *digests, ", ".join(step.inputs) or "–")
    console.print(made)


@app.command("compare")
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="A run's name or folder.", metavar="A")],
    second: Annotated[str, typer.Argument(help="Another.", metavar="B")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Compare two runs: scores side by side, the config where it differs, and what made each model."""
    folders, summaries = zip(*(find_run(run, context.obj) for run in (first, second)), strict=True)
    rows = {
        "score": run_comparison.scores(*summaries),
        "config": run_comparison.config_differences(*summaries),
        "lineage": _lineage_rows(
            *(_steps(folder, summary) for folder, summary in zip(folders, summaries, strict=True))
        ),
    }
    if as_json:
        typer.echo(json.dumps({name: [asdict(row) for row in group] for name, group in rows.items()}, indent=2))
        return
    for name, group in rows.items():
        table = _table(name, first, second, "difference")
        for row in group:
            change = "" if row.difference is None else f"{row.difference:+.4g}"
            table.add_row(row.name, _text(row.first), _text(row.second), change)
        Console().print(table if group else f"{name}: the same")


def _steps(folder: Path, summary: dict[str, Any]) -> list[Any]:
    """What made the run's model; nothing for a run that made none: the store then knows only an earlier run's."""
    from segpipe.pipeline.local import provenance

    made_a_model = "model_id" in summary or summary["status"] == run_state.DONE
    return provenance.of_model(folder / "metadata.db", summary.get("model_id")) if made_a_model else []


def _lineage_rows(first: Any, second: Any) -> list[run_comparison.Row]:
    """The digests of the steps in which the runs differ."""
    digests = [
        {f"{step.component} {name}": digest for step in steps for name, digest in step.digests.items()}
        for steps in (first, second)
    ]
    rows = [
        run_comparison.Row(name, digests[0].get(name), digests[1].get(name)) for name in {**digests[0], **digests[1]}
    ]
    return [row for row in rows if row.first != row.second]


def find_run(run: str, runs_folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of a run, given by its name or folder, and what its summary.json holds.

    Raises:
      UserError: there is no such run.
    """
    for folder in (Path(run), runs_folder / run):
        if (folder / run_state.FILE).is_file():
            return folder, run_state.read(folder)
    raise UserError(f"{run} is no run: neither {run} nor {runs_folder / run} holds a {run_state.FILE}.")


def _row(summary: dict[str, Any]) -> tuple[str, ...]:
    candidate = (summary.get("metrics") or {}).get("candidate") or {}
    return (
        summary["name"],
        summary["started"].replace("T", " ")[:16],
        summary["status"],
        f"{summary['seconds']:.0f}",
        _text(candidate.get("mean_iou")),
        _text(summary.get("blessed")),
    )


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)
