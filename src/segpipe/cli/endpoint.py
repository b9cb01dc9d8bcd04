"""`segpipe endpoint status|promote|rollback CONFIG`: which model answers, and which one should."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segpipe import config as config_module

if TYPE_CHECKING:
    from segpipe.config import Config
    from segpipe.pipeline.vertex.endpoint import ModelEndpoint

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at the endpoint, or change who answers.")

_ConfigFile = Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")]
_Now = Annotated[bool, typer.Option("--now", help="Switch the old model off without the grace period.")]


@app.command("status")
def status(
    config: _ConfigFile, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False
) -> None:
    """Say what is deployed, who gets which share of the requests, and what is billed for nothing."""
    settings = config_module.load(config)
    from segpipe.pipeline.vertex.errors import in_a_sentence

    with in_a_sentence("asking for the endpoint", settings.vertex):
        endpoint = _endpoint(settings)
        state = endpoint.state()
    roles = {one.id: "retired, still billed" for one in state.retired}
    roles |= {one.id: role for role, one in (("champion", state.champion), ("candidate", state.candidate)) if one}
    rows: list[dict[str, Any]] = [
        {
            "version": one.version,
            "role": roles[one.id],
            "percent": one.percent,
            "machines": one.replicas,
            "machine_type": one.machine,
            "since": one.since.isoformat(timespec="seconds"),
        }
        for one in state.deployed
    ]
    if as_json:
        typer.echo(json.dumps({"endpoint": endpoint.name, "deployed": rows}, indent=2))
        return
    for row in rows:
        typer.echo("{version:>4}  {percent:>3} %  {machines} x {machine_type}  since {since}  {role}".format(**row))
    if not rows:
        typer.echo(f"{endpoint.name}: nothing is deployed, nothing is billed.")


@app.command("promote")
def promote(config: _ConfigFile, now: _Now = False) -> None:
    """Give the candidate every request; after the grace period, switch the old model off."""
    settings = config_module.load(config, ["vertex.endpoint.grace_minutes=0"] if now else ())
    from segpipe.pipeline.vertex.errors import in_a_sentence

    with in_a_sentence("promoting the candidate", settings.vertex):
        champion = _endpoint(settings).promote()
    typer.echo(f"version {champion.version} answers every request.")


@app.command("rollback")
def rollback(config: _ConfigFile) -> None:
    """Give the model before the newest every request and switch the newest off."""
    settings = config_module.load(config)
    from segpipe.pipeline.vertex.errors import in_a_sentence

    with in_a_sentence("rolling back", settings.vertex):
        champion = _endpoint(settings).roll_back()
    typer.echo(f"version {champion.version} answers every request.")


def _endpoint(settings: "Config") -> "ModelEndpoint":
    from segpipe.pipeline.vertex.endpoint import ModelEndpoint

    vertex = settings.vertex
    return ModelEndpoint(settings.name, vertex.project, vertex.region, vertex.endpoint, vertex.service_account)
