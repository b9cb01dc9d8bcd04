"""Puts together what is published: the model's files, its card, its pictures, its exports and its demo."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segpipe import schema
from segpipe.errors import ConfigError, DataError
from segpipe.ingest import example_files
from segpipe.publish import samples
from segpipe.publish.card import CardInput, about, render
from segpipe.publish.directory import Directory
from segpipe.publish.files import File, folder_files
from segpipe.publish.hub import HuggingFace
from segpipe.publish.plan import Plan, version_of
from segpipe.publish.settings import PublishSettings
from segpipe.publish.space.plan import PLACEHOLDERS, SpacePlan
from segpipe.publish.weights import WEIGHTS_FILE


@dataclass(frozen=True)
class RunOutputs:
    """What a run left of one model. Folders may be addresses, such as gs://bucket/run/model.

    Attributes:
      saved_model: folder of the SavedModel.
      made_at_s: Unix time at which the model was made: it names the version, so a retry makes no other.
      facts: the fields of `CardInput` that the run knows: pictures by split, metrics, slices, verdict.
      examples: folder of the Examples, with the split test; empty if nobody knows it.
      model_run: folder with the training's weights; empty if nobody knows it.
    """

    saved_model: str
    made_at_s: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    examples: str = ""
    model_run: str = ""


def plan(settings: PublishSettings, run: RunOutputs, fetch: Callable[[str], Path] = Path) -> Plan:
    """Returns the plan of a model's next version.

    Args:
      settings: where the model goes and what goes with it.
      run: what the model's run left.
      fetch: folder or address → the folder on this machine; what it returns must stay until the plan is published.

    Raises:
      ConfigError: the settings ask for pictures or exports, and the run left no Examples or no weights.
      DataError: there is no SavedModel.
    """
    saved_model = fetch(run.saved_model)
    card = {**run.facts, **settings.card}
    extra: tuple[File, ...] = ()
    if settings.export_config is not None:
        extra, card["exports"] = _exports(settings, run, saved_model, fetch)
    pictures = _pictures(settings, run)
    if pictures:
        extra += samples.panels(saved_model, pictures)
    return assemble(
        saved_model,
        run.made_at_s,
        settings.repo_id,
        card,
        space=_space(settings, card, pictures, fetch),
        private=settings.private,
        extra=extra,
    )


def destination(settings: PublishSettings) -> Directory | HuggingFace:
    """Returns what publishes a plan to the place that the settings name."""
    if settings.directory:
        return Directory(Path(settings.directory))
    return HuggingFace(settings.endpoint, settings.token)


def assemble(
    saved_model: Path,
    made_at_s: int,
    repo_id: str,
    card: Mapping[str, Any],
    space: SpacePlan | None = None,
    private: bool = False,
    extra: tuple[File, ...] = (),
) -> Plan:
    """Puts together one version of files that are all at hand.

    Args:
      saved_model: folder of the SavedModel.
      made_at_s: Unix time at which the model was made: it names the version, so a retry makes no other.
      repo_id: "user/name".
      card: fields of `CardInput` beyond those that the SavedModel carries.
      space: the demo, or None.
      private: make new repositories private.
      extra: files under pictures/ and exports/ that go with the version.

    Raises:
      ConfigError: a name that the Hub would refuse.
      DataError: `saved_model` holds none.
    """
    if not (saved_model / "saved_model.pb").is_file():
        raise DataError(f"{saved_model} is no SavedModel: it has no saved_model.pb.")
    version = version_of(made_at_s)
    facts: dict[str, Any] = {**about(saved_model), **card}
    facts.setdefault("pictures", [file.path for file in extra if file.path.startswith("pictures/")])
    readme = File("README.md", render(CardInput(repo_id=repo_id, version=version, **facts)))
    files = tuple(file for file in folder_files(saved_model) if file.path != "README.md")
    return Plan(repo_id, version, (*files, *extra, readme), private=private, space=space)


def _exports(
    settings: PublishSettings, run: RunOutputs, saved_model: Path, fetch: Callable[[str], Path]
) -> tuple[tuple[File, ...], dict[str, str]]:
    if settings.export_config is None or not run.model_run:
        raise ConfigError(f"hub.exports needs the weights of a run that pushed {run.saved_model}; leave it out.")
    from segpipe.publish import exports  # TensorFlow, which a publication without exports need not load.

    return exports.export(settings.export_config, saved_model, fetch(run.model_run) / WEIGHTS_FILE)


def _pictures(settings: PublishSettings, run: RunOutputs) -> list[samples.Picture]:
    """The test pictures to show."""
    if not settings.pictures:
        return []
    if not run.examples:
        raise ConfigError(f"hub.pictures needs the data of a run that pushed {run.saved_model}; leave it out.")
    shards = example_files.shards([f"{run.examples}/Split-{schema.TEST}"])
    return samples.first(itertools.chain.from_iterable(map(example_files.read, shards)), settings.pictures)


def _space(
    settings: PublishSettings,
    card: Mapping[str, Any],
    pictures: list[samples.Picture],
    fetch: Callable[[str], Path],
) -> SpacePlan | None:
    space = settings.space_config
    if space is None:
        return None
    return SpacePlan(
        settings.space_repo_id,
        sdk=space.space_sdk,
        app_path=fetch(space.app_path) if space.app_path else None,
        placeholders={**PLACEHOLDERS, **space.placeholders},
        title=space.title or settings.repo_name,
        license=card.get("license", SpacePlan.license),
        examples=folder_files(fetch(space.examples_path)) if space.examples_path else samples.examples(pictures),
    )
