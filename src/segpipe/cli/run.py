"""`segpipe run CONFIG`: the whole pipeline, here."""

import shlex
import sys
import time
from pathlib import Path
from typing import Annotated, TextIO

import typer

from segpipe import config as config_module
from segpipe.cli.console import RunConsole, library_output_to, shown
from segpipe.errors import RunError

NOT_BLESSED = 3

_LABELS = {
    "latest_blessed_model_resolver": "Resolver",
    "latest_accepted_statistics_resolver": "StatisticsResolver",
}


def run(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in train.epochs=5.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run every component again; reuse nothing.")] = False,
    override_blessing: Annotated[
        str, typer.Option(metavar="REASON", help="Bless the model whatever the gate says; the reason is recorded.")
    ] = "",
    verbose: Annotated[bool, typer.Option("--verbose", help="Show everything that the libraries print.")] = False,
) -> None:
    """Run the whole pipeline here; a second call resumes, or reuses what is done."""
    settings = config_module.load(config, overrides or ())
    from segpipe.ingest.check import check_before_run

    check_before_run(settings)
    run_dir = settings.output_path
    log = run_dir / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
    try:
        with library_output_to(log, verbose) as person:
            blessed, last_line = _watch(settings, person, fresh, override_blessing)
    except RunError as error:
        if verbose:
            raise
        raise RunError(f"{error} The whole story: {shown(log)}") from error
    typer.echo(last_line)
    if not blessed:
        sys.exit(NOT_BLESSED)


def _watch(settings: config_module.Config, person: TextIO, fresh: bool, override_blessing: str) -> tuple[bool, str]:
    console = RunConsole(person, ["ExampleValidator"])
    console.say(f"segpipe {settings.name} → {shown(settings.output_path)}  (loading TFX …)")
    import logging

    from segpipe import progress
    from segpipe.pipeline.local import run as pipeline_run

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s", force=True)
    started_s = time.monotonic()
    with console.open(), progress.listening(console.progress):
        finished = pipeline_run.run(
            settings,
            node_started=lambda node: console.node_started(_label(node)),
            node_finished=lambda outcome, note: console.node_finished(
                _label(outcome.node), outcome.status, outcome.seconds, note
            ),
            planned=lambda nodes: console.plan([_label(node) for node in nodes]),
            fresh=fresh,
            override_blessing=override_blessing,
            say=console.say,
        )
    verdict = "blessed" if finished.blessed else "NOT blessed"
    console.say(f"{verdict} in {time.monotonic() - started_s:.0f} s  ·  report: {shown(finished.report)}")
    if not finished.blessed or finished.pushed is None:
        return False, f"Not pushed: {' '.join(finished.summary['reasons'])} See {shown(finished.report)}"
    pushed = shown(finished.pushed)
    return True, f"Model: {pushed} . Next: segpipe predict {shlex.quote(pushed)} IMAGE -o predictions/"


def _label(node: str) -> str:
    """What a person calls the node: the Resolvers' ids are wider than all other names."""
    return _LABELS.get(node, node)
