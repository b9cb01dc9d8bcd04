"""Gathers what a run left of a model that it pushed, for publishing it once more."""

from pathlib import Path

from segpipe.config import Config
from segpipe.ingest.example_account import pictures_by_split
from segpipe.pipeline.local import provenance
from segpipe.publish.assemble import RunOutputs
from segpipe.savedmodel.find import version_of


def outputs_of(config: Config, saved_model: Path) -> RunOutputs | None:
    """Returns what HFPusher is given of the same model, or None if the run did not push it.

    Args:
      config: of the run.
      saved_model: a version in its serving folder.
    """
    pushed = provenance.of_pushed(config.output_path / "metadata.db", saved_model)
    if pushed is None:
        return None
    from segpipe.pipeline.components import hf_card  # TFMA

    return RunOutputs(
        saved_model=str(saved_model),
        made_at_s=made_at_s(saved_model),
        facts={"splits": pictures_by_split(pushed.examples), **hf_card.measured(pushed.evaluation)},
        examples=pushed.examples,
        model_run=pushed.model_run,
    )


def made_at_s(saved_model: Path) -> int:
    """The version's number: that of the serving folder, or else when the SavedModel was written."""
    return version_of(saved_model) or int((saved_model / "saved_model.pb").stat().st_mtime)
