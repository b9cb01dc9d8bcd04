"""`segpipe publish CONFIG`: the newest blessed model of a run, with its card and demo, to where [hub] says."""

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segpipe import config as config_module
from segpipe import schema
from segpipe.errors import ConfigError

if TYPE_CHECKING:
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
    card = {**_measured(settings.output_path, folder), **card_facts(settings)}
    extra: tuple[File, ...] = ()
    if settings.hub.exports:
        from segpipe.publish import exports

        extra, card["exports"] = exports.export(settings, folder, _weights(settings.output_path))
    pictures = _pictures(settings)
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


def _weights(run_dir: Path) -> Path:
    """The newest training's weights; where they are another model's, the export is refused."""
    from segpipe.publish.weights import WEIGHTS_FILE

    folder = run_dir / "pipeline" / "Trainer" / "model_run"
    return max(folder.glob(f"*/{WEIGHTS_FILE}"), key=lambda path: path.stat().st_mtime, default=folder / WEIGHTS_FILE)


def _pictures(settings: config_module.Config) -> "list[Picture]":
    """The test pictures that the config wants shown, from the newest ExampleGen of the run."""
    if not settings.hub.pictures:
        return []
    from segpipe.evaluate import examples
    from segpipe.publish import samples

    folders = (settings.output_path / "pipeline" / "ExampleGen" / "examples").glob(f"*/Split-{schema.TEST}")
    newest = max(folders, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise ConfigError(f"hub.pictures shows test pictures of the run, and {settings.output_path} has none.")
    shards = examples.shards([str(newest)])
    return samples.first(itertools.chain.from_iterable(map(examples.read, shards)), settings.hub.pictures)


def _measured(run_dir: Path, saved_model: Path) -> dict[str, Any]:
    """What summary.json says of the run, where that run pushed this very model."""
    path = run_dir / "summary.json"
    if not path.is_file():
        return {}
    summary = json.loads(path.read_text(encoding="utf-8"))
    if saved_model.absolute().name not in [Path(pushed).name for pushed in summary.get("pushed", [])]:
        return {}
    metrics = _flat((summary.get("metrics") or {}).get("candidate") or {})
    facts = {
        "metrics": metrics,
        "blessed": summary.get("blessed"),
        "rules": [rule["sentence"] for rule in summary.get("rules", [])],
        "splits": summary.get("pictures") or {},
    }
    return {**facts, "versions": summary["versions"]} if "versions" in summary else facts


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """{"class_iou": {"cat": 0.7}} as {"class_iou/cat": 0.7}; what could not be judged is left out."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            flat[prefix + name] = value
    return flat


def _say(plan: "Plan", settings: config_module.Config) -> None:
    where = settings.output_path / "hub" if settings.hub.kind == "directory" else settings.hub.endpoint
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(int(plan.version[1:])))
    typer.echo(f"{plan.repo_id} {plan.version} ({made}) → {where}")
    for file in plan.files:
        typer.echo(f"  {file.size_bytes:>12,} bytes  {file.path}")
    if plan.space is not None:
        typer.echo(f"Space {plan.space.repo_id}, {plan.space.sdk}")
    typer.echo("Nothing was sent: this was a dry run.")
