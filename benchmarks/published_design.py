"""The blog post's pipeline on today's TFX, the baseline of `make bench`: pairs of files in, a pushed model out.

Its choices are kept: pixels as flat float features, ImportExampleGen to gzip TFRecord, statistics over every pixel,
Transform with its own statistics and materialized output, tf.data over that, `model.save` with three signatures, and
TFMA's SparseCategoricalAccuracy, and the frozen encoder. Changed: the encoder's weights are random, so that nothing is
downloaded; the floor is 0, so that the model is pushed after one epoch.

https://blog.tensorflow.org/2023/01/end-to-end-pipeline-for-segmentation-tfx-google-cloud-hugging-face.html
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
import tensorflow_transform as tft
import tf_keras  # Keras 2, which the published code was written for: Keras 3 has no save_format="tf".
from PIL import Image
from tf_keras import layers
from tf_keras.applications import mobilenet_v2
from tfx.components import Evaluator, ImportExampleGen, Pusher, StatisticsGen, Trainer, Transform
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.dsl.components.common.resolver import Resolver
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, pusher_pb2, trainer_pb2
from tfx.types import Channel
from tfx.types.standard_artifacts import Model, ModelBlessing
from tfx_bsl.tfxio import dataset_options

from segpipe.pipeline.targets import IN_PROCESS_BEAM

SIDE = 128
NUM_CLASSES = 3
EVAL_SHARE = 0.2
SHARD_SIZE = 64
BATCH_SIZE = 32
EPOCHS = 1


def prepare(pairs: Path, records: Path) -> int:
    """Writes `train-00-64.tfrec` … and `val-00-64.tfrec` …: float features of 128 × 128, one picture after the other.

    Returns:
      How many pictures there were.
    """
    names = sorted(path.stem for path in (pairs / "images").iterdir())
    random.Random(2022).shuffle(names)  # noqa: S311
    held_out = int(len(names) * EVAL_SHARE)
    records.mkdir(parents=True)
    for split, chosen in (("train", names[:-held_out]), ("val", names[-held_out:])):
        for shard, start in enumerate(range(0, len(chosen), SHARD_SIZE)):
            shard_names = chosen[start : start + SHARD_SIZE]
            with tf.io.TFRecordWriter(str(records / f"{split}-{shard:02d}-{len(shard_names)}.tfrec")) as writer:
                for name in shard_names:
                    writer.write(_example(pairs, name))
    return len(names)


def _example(pairs: Path, name: str) -> bytes:
    with Image.open(pairs / "images" / f"{name}.jpg") as picture, Image.open(pairs / "masks" / f"{name}.png") as truth:
        image = tf.image.resize(np.asarray(picture.convert("RGB")), (SIDE, SIDE)).numpy()
        label = tf.image.resize(np.asarray(truth.convert("L"))[..., None], (SIDE, SIDE)).numpy()
    features = {
        "image": tf.train.Feature(float_list=tf.train.FloatList(value=image.reshape(-1))),
        "image_shape": tf.train.Feature(int64_list=tf.train.Int64List(value=image.shape)),
        "label": tf.train.Feature(float_list=tf.train.FloatList(value=label.reshape(-1))),
        "label_shape": tf.train.Feature(int64_list=tf.train.Int64List(value=label.shape[:2])),
    }
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def pipeline(records: Path, run_dir: Path, schema_file: Path, train_steps: int, eval_steps: int) -> Pipeline:
    """The published graph, less the Hugging Face pushers.

    Args:
      records: what `prepare` wrote.
      run_dir: everything is written under it.
      schema_file: the hand-made schema of the flat features.
      train_steps: batches per epoch.
      eval_steps: batches of validation.
    """
    splits = [
        example_gen_pb2.Input.Split(name="train", pattern="train-*.tfrec"),
        example_gen_pb2.Input.Split(name="eval", pattern="val-*.tfrec"),
    ]
    example_gen = ImportExampleGen(input_base=str(records), input_config=example_gen_pb2.Input(splits=splits))
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = ImportSchemaGen(schema_file=str(schema_file))
    schema = schema_gen.outputs["schema"]
    transform = Transform(examples=examples, schema=schema, preprocessing_fn=f"{__name__}.preprocessing_fn")
    trainer = Trainer(
        run_fn=f"{__name__}.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema,
        train_args=trainer_pb2.TrainArgs(num_steps=train_steps),
        eval_args=trainer_pb2.EvalArgs(num_steps=eval_steps),
    )
    baseline = Resolver(
        strategy_class=LatestBlessedModelStrategy,
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("latest_blessed_model_resolver")
    evaluator = Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        eval_config=_eval_config(),
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(run_dir / "serving"))
        ),
    )
    return Pipeline(
        pipeline_name="published-design",
        pipeline_root=str(run_dir / "pipeline"),
        components=[example_gen, statistics_gen, schema_gen, transform, trainer, baseline, evaluator, pusher],
        enable_cache=False,
        metadata_connection_config=sqlite_metadata_connection_config(str(run_dir / "metadata.db")),
        beam_pipeline_args=list(IN_PROCESS_BEAM),  # The same runner as segpipe's, so that only the designs differ.
    )


def _eval_config() -> tfma.EvalConfig:
    accuracy = tfma.MetricConfig(
        class_name="SparseCategoricalAccuracy",
        threshold=tfma.MetricThreshold(
            value_threshold=tfma.GenericValueThreshold(lower_bound={"value": 0.0}),
            change_threshold=tfma.GenericChangeThreshold(
                direction=tfma.MetricDirection.HIGHER_IS_BETTER, absolute={"value": -1e-3}
            ),
        ),
    )
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="from_examples",
                preprocessing_function_names=["transform_features"],
                label_key="label_xf",
                prediction_key="label_xf",
            )
        ],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[accuracy])],
    )


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Transform's hook: float image [N, 128, 128, 3] in 0…255 to [-1, 1]; the label as it is."""
    return {"image_xf": mobilenet_v2.preprocess_input(inputs["image"]), "label_xf": inputs["label"]}


def run_fn(fn_args: FnArgs) -> None:
    """The Trainer's hook: fits on the materialized examples and saves the model."""
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    model = unet()
    model.fit(
        dataset(fn_args.train_files, transform_output, fn_args.data_accessor.tf_dataset_factory),
        steps_per_epoch=fn_args.train_steps,
        validation_data=dataset(fn_args.eval_files, transform_output, fn_args.data_accessor.tf_dataset_factory),
        validation_steps=fn_args.eval_steps,
        epochs=EPOCHS,
        verbose=2,
    )
    model.tft_layer = transform_output.transform_features_layer()
    examples = tf.TensorSpec([None], tf.string, name="examples")
    model.save(
        fn_args.serving_model_dir,
        save_format="tf",
        signatures={
            "serving_default": _serving_default(model),
            "transform_features": tf.function(_transform_features(model, transform_output), input_signature=[examples]),
            "from_examples": tf.function(_from_examples(model, transform_output), input_signature=[examples]),
        },
    )


def dataset(
    files: list[str], transform_output: tft.TFTransformOutput, factory: Callable[..., tf.data.Dataset]
) -> tf.data.Dataset:
    """Batches of ({"image_xf": float32 [32, 128, 128, 3]}, float32 [32, 128, 128]), shuffled, without end."""
    options = dataset_options.TensorFlowDatasetOptions(batch_size=BATCH_SIZE, label_key="label_xf")
    return factory(files, options, transform_output.transformed_metadata.schema)


def _serving_default(model: Any) -> Any:
    call = tf.function(model.call).get_concrete_function(
        tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32, name="image_xf")
    )

    def picture(base64: tf.Tensor) -> tf.Tensor:
        decoded = tf.io.decode_jpeg(tf.io.decode_base64(base64), channels=3)
        return mobilenet_v2.preprocess_input(tf.image.resize(decoded, (SIDE, SIDE)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(string_input: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(picture, string_input, fn_output_signature=tf.float32)
        return {"seg_mask": tf.argmax(call(image_xf=images), -1)}

    return serve


def _transform_features(model: Any, transform_output: tft.TFTransformOutput) -> Callable[..., Any]:
    def transform(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return model.tft_layer(tf.io.parse_example(examples, transform_output.raw_feature_spec()))

    return transform


def _from_examples(model: Any, transform_output: tft.TFTransformOutput) -> Callable[..., Any]:
    transform = _transform_features(model, transform_output)

    def predict(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"label_xf": model(transform(examples))}

    return predict


def unet(encoder_weights: Sequence[np.ndarray] | None = None) -> Any:
    """U-Net on MobileNetV2, from TensorFlow's segmentation tutorial, compiled.

    Args:
      encoder_weights: of the encoder, which is frozen, as published; random ones when left out.
    """
    encoder = tf_keras.applications.MobileNetV2(input_shape=[SIDE, SIDE, 3], include_top=False, weights=None)
    if encoder_weights is not None:
        encoder.set_weights(encoder_weights)
    levels = ("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu")
    outputs = [encoder.get_layer(name).output for name in (*levels, "block_16_project")]
    down = tf_keras.Model(encoder.input, outputs)
    down.trainable = False

    inputs = layers.Input([SIDE, SIDE, 3], name="image_xf")
    *skips, x = down(inputs)
    for filters, skip in zip((512, 256, 128, 64), reversed(skips), strict=True):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Concatenate()([x, skip])
    x = layers.Conv2DTranspose(NUM_CLASSES, 3, strides=2, padding="same", name="label_xf")(x)
    model = tf_keras.Model(inputs, x)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model
