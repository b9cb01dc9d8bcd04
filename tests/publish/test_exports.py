from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from segpipe.config import Config
from segpipe.errors import ConfigError, RunError
from segpipe.model.architectures import build
from segpipe.preprocess import pictures
from segpipe.publish.exports import export
from segpipe.publish.weights import WEIGHTS_FILE
from segpipe.savedmodel.export import export as export_saved_model
from tests.publish import colour_model

SIZE = 32
KERAS, LITERT = "exports/model.keras", "exports/model.tflite"
pytestmark = pytest.mark.slow


def config(*formats: str, architecture: str = "unet_mobilenetv2") -> Config:
    return Config(
        name="tiny",
        data={"classes": ("a", "b", "c"), "image_size": SIZE},
        model={"architecture": architecture, "weights": "none", "width": 0.35, "decoder_filters": (16, 16, 8, 8)},
        hub={"exports": formats},
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_trained(config(), tmp_path_factory.mktemp("trained"))


def write_trained(config: Config, folder: Path) -> tuple[Path, Path]:
    """A SavedModel and the weights file that belongs to it: random, with statistics of its own."""
    model = build(config.model, 3, SIZE).model
    random = np.random.default_rng(0)
    model.set_weights([w + 0.02 * random.uniform(0, 1, w.shape).astype(w.dtype) for w in model.get_weights()])
    model.save_weights(str(folder / WEIGHTS_FILE))
    decoders = {"image": pictures.images_to_inputs, "mask": pictures.masks_to_targets}
    export_saved_model(
        model, lambda features: {k: decoders[k](v, SIZE) for k, v in features.items()}, config, str(folder / "served")
    )
    return folder / "served", folder / WEIGHTS_FILE


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, Path]) -> tuple[dict[str, bytes], dict[str, str]]:
    files, sentences = export(config("keras", "litert"), *trained)
    return {file.path: file.read() for file in files}, sentences


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)


def served_mask(saved_model: Path, picture: np.ndarray) -> np.ndarray:
    run = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    return run(image_bytes=tf.io.encode_png(picture[0])[tf.newaxis])["mask"].numpy()


def lite_mask(content: bytes, picture: np.ndarray) -> np.ndarray:
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_the_keras_file_needs_keras_alone_and_gives_the_same_mask(exported, trained, picture, tmp_path: Path):
    path = tmp_path / "model.keras"
    path.write_bytes(exported[0][KERAS])
    model = keras.saving.load_model(path)
    assert not [layer for layer in model.layers if type(layer).__module__.startswith("segpipe")]
    mask = np.argmax(model(picture / 127.5 - 1.0, training=False), -1)
    assert (mask == served_mask(trained[0], picture)).mean() >= 0.995


def test_the_litert_file_takes_pixels_and_gives_the_same_mask(exported, trained, picture):
    mask = lite_mask(exported[0][LITERT], picture)
    assert mask.dtype == np.uint8
    assert (mask == served_mask(trained[0], picture)).mean() >= 0.995


@pytest.mark.parametrize(
    ("architecture", "formats"), [("deeplabv3plus", ("litert",)), ("segformer", ("keras", "litert"))]
)
def test_the_other_networks_are_exported_too(architecture: str, formats: tuple[str, ...], picture, tmp_path: Path):
    """What cannot be exported is refused by the config."""
    wanted = config(*formats, architecture=architecture)
    served, weights = write_trained(wanted, tmp_path)
    files, sentences = export(wanted, served, weights)
    assert [file.path for file in files] == [{"keras": KERAS, "litert": LITERT}[name] for name in formats]
    assert "keras" not in formats or sentences[KERAS].startswith("Keras 3 and Keras Hub;")
    mask = lite_mask(files[-1].read(), picture)
    assert (mask == served_mask(served, picture)).mean() >= 0.995


def test_a_retry_gives_the_same_bytes(exported, trained):
    again, _ = export(config("keras"), *trained)
    assert again[0].read() == exported[0][KERAS]


def test_the_card_gets_a_sentence_on_each(exported):
    assert set(exported[1]) == set(exported[0])
    assert all("Checked: the SavedModel's class at" in sentence for sentence in exported[1].values())


def test_an_export_of_another_model_is_refused(trained, saved_model: Path, tmp_path: Path):
    with pytest.raises(RunError, match=r"exports/model\.keras gives the SavedModel's class at"):
        export(config("keras"), write_other(tmp_path), trained[1])


def write_other(folder: Path) -> Path:
    """A SavedModel of the same size that says something else."""
    before, colour_model.SIZE = colour_model.SIZE, SIZE
    try:
        return colour_model.write(folder / "other")
    finally:
        colour_model.SIZE = before


@pytest.mark.parametrize("other", [{"model": {"width": 0.5}}, {"data": {"image_size": 64}}])
def test_a_config_of_another_training_is_told_in_a_sentence(trained, other: dict[str, dict]):
    settings = config("keras")
    changed = {key: getattr(settings, key).model_copy(update=update) for key, update in other.items()}
    with pytest.raises(ConfigError, match="give the same --set as its run"):
        export(settings.model_copy(update=changed), *trained)


def test_missing_weights_are_named(trained, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"there is no .*model\.weights\.h5; train again"):
        export(config("keras"), trained[0], tmp_path / WEIGHTS_FILE)
