import shutil

import numpy as np
import pytest
import tensorflow as tf
import typer
from PIL import Image
from typer.testing import CliRunner

from segpipe import model
from segpipe.cli.predict import predict as predict_command
from segpipe.errors import DataError, UserError
from segpipe.model import seeds
from segpipe.palette import overlay, palette
from segpipe.predict.listing import listing
from segpipe.predict.single import predict
from segpipe.preprocess import pictures
from segpipe.savedmodel.export import export
from segpipe.savedmodel.native_size import at_size
from segpipe.savedmodel.predictor import Predictor
from tests.savedmodel.test_export import CLASSES, CONFIG, SIZE, transform

JPEG_SIZE = (75, 50)  # width, height


@pytest.fixture(scope="module")
def network():
    with seeds.drawn_from(0):
        return model.build(CONFIG.model, CLASSES, SIZE).model


@pytest.fixture(scope="module")
def run_folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "demo"
    export(network, transform, CONFIG, str(folder / "serving" / "9"))
    shutil.copytree(folder / "serving" / "9", folder / "serving" / "10")
    return folder


@pytest.fixture(scope="module")
def predictor(run_folder):
    return Predictor.load(run_folder)


@pytest.fixture
def jpeg(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (10, 15, 3), np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise).resize(JPEG_SIZE).save(path, quality=95)
    return path


def keras_mask(network, encoded: bytes) -> np.ndarray:
    return network(pictures.images_to_inputs(tf.constant([encoded]), SIZE), training=False).numpy().argmax(-1)[0]


def test_one_jpeg_gets_one_mask_by_every_way(network, run_folder, jpeg, tmp_path):
    by_keras = keras_mask(network, jpeg.read_bytes())
    signature = tf.saved_model.load(str(run_folder / "serving" / "10")).signatures["serving_default"]
    by_signature = signature(image_bytes=tf.constant([jpeg.read_bytes()]))["mask"].numpy()[0]
    app = typer.Typer()
    app.command()(predict_command)
    result = CliRunner().invoke(app, [str(run_folder), str(jpeg), "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(tmp_path / "out")
    by_command = np.asarray(Image.open(tmp_path / "out" / "photo.mask.png"))
    np.testing.assert_array_equal(by_signature, by_keras)
    np.testing.assert_array_equal(by_command, at_size(by_keras.astype(np.uint8), JPEG_SIZE[1], JPEG_SIZE[0]))


def test_mask_and_overlay_have_the_pictures_size_and_the_models_colours(predictor, jpeg, tmp_path):
    (written,) = predict(predictor, listing([str(jpeg)]), tmp_path / "out")
    mask, shown = Image.open(written.mask), Image.open(written.overlay)
    assert mask.size == shown.size == JPEG_SIZE
    assert mask.mode == "P"
    assert mask.getpalette()[: 3 * CLASSES] == palette(CLASSES).ravel().tolist()
    np.testing.assert_array_equal(shown, overlay(np.asarray(Image.open(jpeg)), np.asarray(mask)))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["photo.mask.png", "photo.overlay.png"]


@pytest.mark.parametrize(
    ("suffix", "mode"), [("tif", "RGB"), ("bmp", "RGB"), ("webp", "RGB"), ("png", "RGBA"), ("png", "L"), ("png", "P")]
)
def test_any_common_format_is_taken(predictor, tmp_path, suffix, mode):
    path = tmp_path / f"picture.{suffix}"
    Image.effect_noise((40, 30), 80).convert(mode).save(path)
    (written,) = predict(predictor, listing([str(path)]), tmp_path / "out")
    assert Image.open(written.mask).size == (40, 30)


def test_a_turned_photo_is_predicted_upright(network, predictor, jpeg, tmp_path):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    Image.open(jpeg).save(turned, exif=exif, quality=95)
    (written,) = predict(predictor, listing([str(turned)]), tmp_path / "out")
    assert Image.open(written.mask).size == JPEG_SIZE[::-1]


def test_a_folders_pictures_are_written_as_they_lie_there(predictor, jpeg, tmp_path):
    (jpeg.parent / "deep").mkdir()
    for other in ("b.JPG", "photo.jpe", "deep/photo.jpg"):
        shutil.copy(jpeg, jpeg.parent / other)
    out = tmp_path / "out"
    list(predict(predictor, listing([str(jpeg.parent)], str(out)), out))
    masks = {str(path.relative_to(out)) for path in out.rglob("*.mask.png")}
    assert masks == {"b.mask.png", "deep/photo.mask.png", "photo.jpe.mask.png", "photo.jpg.mask.png"}


@pytest.mark.parametrize("content", [b"", b"not a picture", "truncated"])
def test_a_bad_file_is_named(predictor, jpeg, tmp_path, content):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(jpeg.read_bytes()[:500] if content == "truncated" else content)
    with pytest.raises(DataError, match=r"bad\.jpg"):
        list(predict(predictor, listing([str(bad)]), tmp_path / "out"))


@pytest.mark.parametrize("inner", ["", "serving", "serving/9"])
def test_a_run_its_serving_folder_and_a_version_are_models(run_folder, inner):
    assert Predictor.load(run_folder / inner).metadata["classes"] == ["sea", "land", "ice"]


def test_the_newest_version_is_taken_by_number(run_folder, tmp_path):
    (run_folder / "serving" / "9" / "assets.extra" / "segpipe.json").write_text('{"classes": ["old"]}')
    assert Predictor.load(run_folder).metadata["classes"] == ["sea", "land", "ice"]


def test_tfx_model_folders_are_models(run_folder, tmp_path):
    shutil.copytree(run_folder / "serving" / "10", tmp_path / "model" / "Format-Serving")
    assert Predictor.load(tmp_path / "model").metadata["image_size"] == SIZE


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(UserError, match="no model in"):
        Predictor.load(tmp_path)


def test_bytes_that_are_no_picture_are_refused(predictor):
    with pytest.raises(DataError, match="cannot be decoded"):
        predictor.predict([b"no picture"])
