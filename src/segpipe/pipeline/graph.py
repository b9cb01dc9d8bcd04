"""The whole pipeline as one TFX graph, the same for every target.

ExampleGen → StatisticsGen → ImportSchemaGen → ExampleValidator → Transform → (Tuner →) Trainer → Resolver → Evaluator →
Pusher → HFPusher.
"""

from tfx.components.transform.component import Transform
from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base import base_node
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types.channel import BaseChannel

from segpipe import schema
from segpipe.config import Config
from segpipe.pipeline import digest
from segpipe.pipeline.components.evaluator import Evaluator
from segpipe.pipeline.components.example_gen import picture_example_gen
from segpipe.pipeline.components.example_validator import BlockingExampleValidator
from segpipe.pipeline.components.import_schema_gen import ImportSchemaGen
from segpipe.pipeline.components.statistics_gen import StatisticsGen
from segpipe.pipeline.targets import Target

PREPROCESSING_MODULE = "segpipe.pipeline.preprocessing"
TUNING_MODULE = "segpipe.pipeline.tuning"
TRAINING_MODULE = "segpipe.pipeline.training"


def build(config: Config, target: Target, enable_cache: bool = True, override_blessing: str = "") -> Pipeline:
    """Wires the graph for `config` to run at `target`.

    Args:
      config: the run.
      target: where it runs.
      enable_cache: reuse every component whose inputs, arguments and code are the same as in an earlier run.
      override_blessing: why a person blesses the model whatever the gate says; empty when nobody does.
    """
    nodes = _nodes(config, target, override_blessing)
    for node in nodes:
        if isinstance(node, BaseBeamComponent):  # Given to the pipeline, every other container would carry them too.
            node.with_beam_pipeline_args(target.beam_pipeline_args)
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=target.pipeline_root,
        components=nodes,
        enable_cache=enable_cache,
        metadata_connection_config=target.metadata_connection,
    )


def _nodes(config: Config, target: Target, override_blessing: str) -> list[base_node.BaseNode]:
    example_gen = picture_example_gen(config).with_id("ExampleGen")
    examples = example_gen.outputs["examples"]

    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = ImportSchemaGen(schema_file=config.locate(config.data.schema_file))
    previous = target.previous_statistics(statistics_gen.outputs["statistics"]) if config.validation.max_drift else None
    validator = BlockingExampleValidator(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_gen.outputs["schema"],
        examples=examples,
        limits=config.validation,
        previous_statistics=previous.outputs["statistics"] if previous else None,
    ).with_id("ExampleValidator")

    transform = Transform(
        examples=examples,
        schema=schema_gen.outputs["schema"],
        preprocessing_fn=f"{PREPROCESSING_MODULE}.preprocessing_fn",
        custom_config={
            "image_size": config.data.image_size,
            "code_digest": digest.code_digest(PREPROCESSING_MODULE),
        },
        materialize=False,  # Writing decoded pixels costs more than decoding them again: DESIGN.md §2.
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(validator)  # Nothing is trained on data that the schema refuses.

    tuner = _tuner(config, target, examples, transform.outputs["transform_graph"]) if config.tuner.enabled else None
    trainer = target.trainer(
        run_fn=f"{TRAINING_MODULE}.run_fn",
        examples=examples,
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        train_args=trainer_pb2.TrainArgs(splits=[schema.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[schema.EVAL]),
        custom_config={
            "config": digest.sections(config, "seed", "model", "train"),
            "code_digest": digest.code_digest(TRAINING_MODULE),
            "work_dir": target.work_dir,
        },
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
    ).with_id("Trainer")

    baseline = target.baseline(candidate=trainer.outputs["model"])
    evaluator = Evaluator(
        examples=examples,  # Judged on split test alone: never on the split that selected the epoch.
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        baseline_blessing=baseline.outputs["model_blessing"],
        config=config,
        override_blessing=override_blessing,
    )
    pusher = target.pusher(model=trainer.outputs["model"], model_blessing=evaluator.outputs["blessing"]).with_id(
        "Pusher"
    )
    hub_pusher = target.hub_pusher(
        config,
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        model_run=trainer.outputs["model_run"],
        examples=examples,
    )
    if hub_pusher:
        hub_pusher.add_upstream_node(pusher)  # What people are shown is what is deployed.
    return [
        example_gen, statistics_gen, schema_gen, *([previous] if previous else []), validator, transform,
        *([tuner] if tuner else []), trainer, baseline, evaluator, pusher, *([hub_pusher] if hub_pusher else []),
    ]  # fmt: skip


def _tuner(config: Config, target: Target, examples: BaseChannel, transform_graph: BaseChannel) -> Tuner:
    return Tuner(
        tuner_fn=f"{TUNING_MODULE}.tuner_fn",
        examples=examples,
        transform_graph=transform_graph,
        train_args=trainer_pb2.TrainArgs(splits=[schema.TRAIN]),
        eval_args=trainer_pb2.EvalArgs(splits=[schema.EVAL]),
        custom_config={
            "config": digest.sections(config, "seed", "model", "train", "tuner"),
            "code_digest": digest.code_digest(TUNING_MODULE),
            "work_dir": target.work_dir,
        },
    ).with_id("Tuner")
