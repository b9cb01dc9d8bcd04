"""`segpipe publish CONFIG`: the newest blessed model of a run, with its card and demo, to where [hub] says."""

import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segpipe import config as config_module
from segpipe import schema
from segpipe.errors import ConfigError

if TYPE_CHECKING:
    from segpipe.pipeline.local.provenance import Pushed
    from segpipe.publish.files import File
    from segpipe.publish.plan import Plan
    from segpipe.publish.samples import Picture


def publish(
    config: Annotated[Path, typer.Argument(help="The TOML file of the run.", metavar="CONFIG")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as in hub.private=true.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A SavedModel; the run's newest blessed one if left out.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published; send nothing.")] = False,
) -> None:
    """Publish a model, its card and its demo; a second call changes nothing, or completes the first."""
    settings = config_module.load(config, overrides or ())
    if settings.hub.kind == "none":
        raise ConfigError('hub.kind is "none"; try --set hub.kind=directory, or huggingface with hub.username.')
    from segpipe.publish import samples
    from segpipe.publish.assemble import assemble, card_facts, repo_id, space_plan
    from segpipe.publish.directory import Directory
    from segpipe.publish.hub import HuggingFace
    from segpipe.publish.space.local import saved_model_in

    folder = saved_model_in(model or settings.output_path / "serving")
    run = _run_of(folder, settings)
    card = {**_measured(run), **card_facts(settings)}
    extra: tuple[File, ...] = ()
    if settings.hub.exports:
        from segpipe.publish import exports

        extra, card["exports"] = exports.export(settings, folder, _weights(run, folder))
    pictures = _pictures(run, settings, folder)
    if pictures:
        extra += samples.panels(folder, pictures)
    space = space_plan(settings)
    plan = assemble(
        folder,
        _decided_at_s(folder),
        repo_id(settings),
        card,
        space=replace(space, examples=samples.examples(pictures)) if space else None,
        private=settings.hub.private,
        extra=extra,
    )
    if dry_run:
        _say(plan, settings)
        return
    if settings.hub.kind == "directory":
        published = Directory(settings.output_path / "hub").publish(plan)
    else:
        published = HuggingFace(settings.hub.endpoint, settings.hub.token).publish(plan)
    if published.space_url:
        typer.echo(published.space_url)
    typer.echo(published.repo_url)


def _decided_at_s(saved_model: Path) -> int:
    """The version's number: that of the serving folder, or else when the SavedModel was written."""
    name = saved_model.absolute().name
    return int(name) if name.isdigit() else int((saved_model / "saved_model.pb").stat().st_mtime)


def _run_of(saved_model: Path, settings: config_module.Config) -> "Pushed | None":
    """What the run knows of the model; None, and a word on stderr, where it did not push it."""
    from segpipe.pipeline.local import provenance

    pushed = provenance.of_pushed(settings.output_path / "metadata.db", saved_model)
    if pushed is None:
        typer.echo(f"{settings.output_path} did not push {saved_model}: its card has no results.", err=True)
    return pushed


def _measured(run: "Pushed | None") -> dict[str, Any]:
    """The facts that HFPusher puts on the card of the same model."""
    if run is None:
        return {}
    from segpipe.pipeline.components import example_gen, hf_card

    return {"splits": example_gen.pictures_by_split(run.examples), **hf_card.measured(run.evaluation)}


def _weights(run: "Pushed | None", saved_model: Path) -> Path:
    from segpipe.publish.weights import WEIGHTS_FILE

    if run is None:
        raise ConfigError(f"hub.exports needs the weights of a run that pushed {saved_model}; leave it out.")
    return Path(run.model_run) / WEIGHTS_FILE


def _pictures(run: "Pushed | None", settings: config_module.Config, saved_model: Path) -> "list[Picture]":
    """The test pictures that the config wants shown."""
    if not settings.hub.pictures:
        return []
    from segpipe.ingest import example_files
    from segpipe.publish import samples

    if run is None:
        raise ConfigError(f"hub.pictures needs the data of a run that pushed {saved_model}; leave it out.")
    shards = example_files.shards([f"{run.examples}/Split-{schema.TEST}"])
    return samples.first(itertools.chain.from_iterable(map(example_files.read, shards)), settings.hub.pictures)


def _say(plan: "Plan", settings: config_module.Config) -> None:
    where = settings.output_path / "hub" if settings.hub.kind == "directory" else settings.hub.endpoint
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(int(plan.version[1:])))
    typer.echo(f"{plan.repo_id} {plan.version} ({made}) → {where}")
    for file in plan.files:
        typer.echo(f"  {file.size_bytes:>12,} bytes  {file.path}")
    if plan.space is not None:
        typer.echo(f"Space {plan.space.repo_id}, {plan.space.sdk}")
    typer.echo("Nothing was sent: this was a dry run.")
