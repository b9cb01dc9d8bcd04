"""Evaluator: measures candidate and champion on the test split, judges, and blesses or does not.

It has the inputs and outputs of TFX's own Evaluator and writes what that writes, so the Resolver, the Pusher and TFMA's
viewer take it for one. What TFX's cannot do is why it exists: a verdict from more than thresholds, with its reasons.
"""

import json
from collections.abc import Mapping, Sequence

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants as tfma_constants
from tfx import types
from tfx.components.evaluator import constants
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as standard
from tfx.types.system_executions import Evaluate
from tfx.utils import io_utils, path_utils

from segpipe import schema
from segpipe.config import Config
from segpipe.errors import ConfigError, DataError
from segpipe.evaluate import evidence, gallery, gate, picture_table, slices
from segpipe.ingest import example, example_account, example_files
from segpipe.metrics import bootstrap
from segpipe.pipeline.components import evaluator_output, node
from segpipe.pipeline.components.count_with_beam import count_pictures, read_examples, write_metrics, write_rows
from segpipe.pipeline.components.tfma_metrics import eval_config
from segpipe.savedmodel import card
from segpipe.savedmodel.load import load_to_count, size_mb

BASELINE_BLESSING = "baseline_blessing"

REASONS = "reasons"
OVERRIDE = "override"
DATA_DIGEST = "test_data_digest"


class Parameters(node.Parameters):
    """What the Evaluator depends on.

    Attributes:
      config: the run's name, folder and data, and its sections evaluate and gate.
      example_splits: the splits to judge on.
      override: why a person blesses the candidate whatever the gate says; empty when nobody does.
    """

    config: Config
    example_splits: tuple[str, ...] = (schema.TEST,)
    override: str = ""


class Executor(
    node.BeamExecutor[Parameters],
    interface=node.Interface(
        Parameters,
        inputs={standard.EXAMPLES_KEY: standard_artifacts.Examples, standard.MODEL_KEY: standard_artifacts.Model},
        optional_inputs={
            standard.BASELINE_MODEL_KEY: standard_artifacts.Model,
            BASELINE_BLESSING: standard_artifacts.ModelBlessing,
        },
        outputs={
            standard.EVALUATION_KEY: standard_artifacts.ModelEvaluation,
            standard.BLESSING_KEY: standard_artifacts.ModelBlessing,
        },
        code=__name__,
        annotation=Evaluate,
    ),
):
    """Counts every test picture under both models, judges, and blesses or does not."""

    def run(self, artifacts: node.Artifacts, parameters: Parameters) -> None:
        """Writes the evaluation, verdict.json in it, and the blessing.

        Raises:
          ConfigError: a split that chose or trained the model is to judge it.
          DataError: the candidate does not load or the split is empty.
        """
        config, inputs = parameters.config, artifacts.inputs
        shards = example_files.shards(_judging_splits(inputs, parameters.example_splits))
        first = example_files.first(shards)
        candidate = artifacts.input(standard.MODEL_KEY)
        champions = inputs.get(standard.BASELINE_MODEL_KEY) or []
        models = {tfma_constants.CANDIDATE_KEY: _path(candidate)}
        problem = _problem(_path(champions[0]), config, first) if champions else ""
        if champions and not problem:
            models[tfma_constants.BASELINE_KEY] = _path(champions[0])

        folder = artifacts.output(standard.EVALUATION_KEY).uri
        with self._make_beam_pipeline() as pipeline:
            evaluate(pipeline, shards, models, config, folder, _slicings(inputs, shards, config))

        pictures = picture_table.read(folder)
        scores, champion_scores = evaluator_output.read(folder)
        intervals = bootstrap.intervals(
            pictures.candidate, pictures.champion, config.gate.confidence, config.gate.bootstrap_resamples
        )
        measurements = gate.Measurements(
            classes=config.data.classes,
            candidate=scores.confusion,
            champion=champion_scores.confusion if champion_scores else None,
            champion_problem=problem,
            difference=intervals.difference,
            slices=slices.score(pictures, config.evaluate.min_slice_pictures),
            model_mb=size_mb(_path(candidate)),
            latency_ms=_latency_ms(_path(candidate), first) if config.gate.max_latency_ms is not None else None,
            notes=_notes(inputs, pictures, models, config),
        )
        verdict = gate.judge(config.gate, measurements, parameters.override)
        shown = gallery.choose(load_to_count(_path(candidate)), shards, pictures)
        evidence.write(folder, verdict, scores, champion_scores, intervals, shown)
        _bless(artifacts.output(standard.BLESSING_KEY), verdict, pictures.data_digest, candidate, champions)


def evaluate(
    pipeline: beam.Pipeline,
    shards: list[str],
    models: dict[str, str],
    config: Config,
    output_uri: str,
    slicings: list[str],
) -> None:
    """Adds to `pipeline` what counts the pictures of the TFRecord files `shards` and writes metrics and rows."""
    settings = tfma.utils.update_eval_config_with_defaults(
        eval_config(config, slicings), has_baseline=len(models) > 1, rubber_stamp=True
    )
    pictures = count_pictures(read_examples(pipeline, shards), models, config.evaluate)
    write_metrics(pictures, settings, models, output_uri)
    write_rows(pictures, output_uri)


def _slicings(inputs: Mapping[str, list[types.Artifact]], shards: list[str], config: Config) -> list[str]:
    """Every slicing that any picture can have, which TFMA wants before it starts.

    ExampleGen's account names the attributes. Examples that another ExampleGen wrote have none: they are read for it.
    """
    names = example_account.attributes(artifact_utils.get_single_uri(inputs[standard.EXAMPLES_KEY]))
    if names is None:
        pictures = (example.decode(serialized) for shard in shards for serialized in example_files.read(shard))
        names = sorted({name for features in pictures for name in slices.attribute_names(features)})
    return slices.slicings(names, config.evaluate)


def _latency_ms(model: str, serialized: bytes) -> float:
    """The model's time for the picture of one serialized Example."""
    return load_to_count(model).latency_ms(example.decode(serialized)[schema.IMAGE][0])


class Evaluator(node.BeamNode, executor=Executor):
    """TFX component; outputs `evaluation` and `blessing`."""

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        config: Config,
        baseline_model: types.BaseChannel | None = None,
        baseline_blessing: types.BaseChannel | None = None,
        override_blessing: str = "",
    ):
        """Evaluates on the test split, never on one that trained or chose the model.

        Args:
          examples: with a split test.
          model: the candidate.
          config: its classes, and its sections evaluate and gate.
          baseline_model: the champion, where there is one.
          baseline_blessing: the champion's blessing, which says on which pictures it was judged.
          override_blessing: why a person blesses the candidate whatever the gate says; empty when nobody does.
        """
        kept = Config(
            name=config.name,
            directory=config.directory,
            data=config.data,
            evaluate=config.evaluate,
            gate=config.gate,
        )
        super().__init__(
            Parameters(config=kept, override=override_blessing),
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            baseline_blessing=baseline_blessing,
        )


def _judging_splits(inputs: Mapping[str, list[types.Artifact]], splits: Sequence[str]) -> list[str]:
    if seen := {schema.TRAIN, schema.EVAL} & set(splits):
        raise ConfigError(
            f"the gate judges on split {schema.TEST} alone, got {', '.join(sorted(seen))}: "
            "a split that trained the model or chose its epoch flatters it."
        )
    return [uri for split in splits for uri in artifact_utils.get_split_uris(inputs[standard.EXAMPLES_KEY], split)]


def _path(model: types.Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))


def _problem(champion: str, config: Config, first: bytes) -> str:
    """Why the champion cannot be measured on this data, in a sentence; empty when it can."""
    try:
        classes = tuple(card.read(champion)["classes"])
        if classes != config.data.classes:
            now = ", ".join(config.data.classes)
            return f"The champion was trained for the classes {', '.join(classes)}; now they are {now}."
        load_to_count(champion).count([first])
    except DataError as error:
        return f"The champion no longer loads: {error}"
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [""])[0][:200]
        return f"The champion no longer runs on today's Examples ({type(error).__name__}: {first_line})."
    return ""


def _notes(
    inputs: Mapping[str, list[types.Artifact]],
    pictures: picture_table.PictureTable,
    models: dict[str, str],
    config: Config,
) -> list[str]:
    notes: list[str] = []
    champion = models.get(tfma_constants.BASELINE_KEY)
    if champion is None:
        return notes
    if blessings := inputs.get(BASELINE_BLESSING):
        before = blessings[0].get_string_custom_property(DATA_DIGEST)
        if before and before != pictures.data_digest:
            notes.append(
                "The test split has changed since the champion was blessed. Both models were measured on the new one: "
                "their difference counts, but no score can be held against an earlier report. Where pictures only came "
                "or went, there is nothing to do. Where [split] or the data's own splits changed, some of these "
                "pictures may have trained the champion, which flatters it: go back to the old splits, or train the "
                "champion's config on the new ones and compare; --override-blessing REASON lets this model replace it."
            )
    size = int(card.read(champion)["image_size"])
    if size != config.data.image_size:
        notes.append(
            f"The champion sees {size} pixels a side, this model {config.data.image_size}; "
            "each was measured at its own size."
        )
    return notes


def _bless(
    blessing: types.Artifact,
    verdict: gate.Verdict,
    data_digest: str,
    candidate: types.Artifact,
    champions: list[types.Artifact],
) -> None:
    """Marks the blessing as TFX's Evaluator does, and says why."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, candidate.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, candidate.id)
    for champion in champions[:1]:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, champion.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id)
    blessing.set_string_custom_property(REASONS, json.dumps(verdict.reasons))
    blessing.set_string_custom_property(OVERRIDE, verdict.override)
    blessing.set_string_custom_property(DATA_DIGEST, data_digest)
    blessed, file = (
        (constants.BLESSED_VALUE, constants.BLESSED_FILE_NAME)
        if verdict.blessed
        else (constants.NOT_BLESSED_VALUE, constants.NOT_BLESSED_FILE_NAME)
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, blessed)
    io_utils.write_string_file(f"{blessing.uri}/{file}", "")
