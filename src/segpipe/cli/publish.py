"""`segpipe publish CONFIG`: publishes the newest blessed model of a run, with its card and demo, where [hub] says."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segpipe import config as config_module
from segpipe.errors import ConfigError

if TYPE_CHECKING:
    from segpipe.publish.plan import Plan
    from segpipe.publish.settings import PublishSettings


def publish(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in hub.private=true.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="RUN|MODEL_DIR", help="A run or SavedModel, gs:// too; this run's newest if left out."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published; send nothing.")] = False,
) -> None:
    """Publish a model, its card and its demo; a second call changes nothing, or completes the first."""
    settings = config_module.load(config, overrides or ())
    if settings.hub.kind == "none":
        raise ConfigError('hub.kind is "none"; try --set hub.kind=directory, or huggingface with hub.username.')
    from segpipe.savedmodel.find import find
    from segpipe.savedmodel.local_copy import local_copy

    with local_copy(find(model or settings.output_path / "serving")) as folder:
        _publish(folder, settings, dry_run)


def _publish(folder: Path, settings: config_module.Config, dry_run: bool) -> None:
    """Publishes the SavedModel in a folder."""
    from segpipe.pipeline.local.pushed_outputs import made_at_s, outputs_of
    from segpipe.publish.assemble import RunOutputs, destination, plan
    from segpipe.publish.settings import settings_from

    run = outputs_of(settings, folder)
    if run is None:
        typer.echo(f"{settings.output_path} did not push {folder}: its card has no results.", err=True)
        run = RunOutputs(str(folder), made_at_s(folder))
    publication = settings_from(settings)
    version = plan(publication, run)
    if dry_run:
        _say(version, publication)
        return
    published = destination(publication).publish(version)
    if published.space_url:
        typer.echo(published.space_url)
    typer.echo(published.repo_url)


def _say(plan: "Plan", publication: "PublishSettings") -> None:
    where = publication.directory or publication.endpoint
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(int(plan.version[1:])))
    typer.echo(f"{plan.repo_id} {plan.version} ({made}) → {where}")
    for file in plan.files:
        typer.echo(f"  {file.size_bytes:>12,} bytes  {file.path}")
    if plan.space is not None:
        typer.echo(f"Space {plan.space.repo_id}, {plan.space.sdk}")
    typer.echo("Nothing was sent: this was a dry run.")
