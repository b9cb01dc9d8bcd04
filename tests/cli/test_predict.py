import io
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from typer.testing import CliRunner

from segpipe import model
from segpipe.cli.main import app
from segpipe.errors import UserError
from segpipe.model import seeds
from segpipe.palette import overlay, palette
from segpipe.pipeline.components import predict_with_beam
from segpipe.predict.listing import Listed
from segpipe.preprocess import pictures
from segpipe.savedmodel.export import export
from segpipe.savedmodel.native_size import at_size
from tests.savedmodel.test_export import CLASSES, CONFIG, SIZE, transform

JPEG_SIZE = (75, 50)  # width, height


@pytest.fixture(scope="module")
def network():
    with seeds.drawn_from(0):
        return model.build(CONFIG.model, CLASSES, SIZE).model


@pytest.fixture(scope="module")
def run_folder(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project") / "runs" / "demo"
    export(network, transform, CONFIG, str(folder / "serving" / "10"))
    return folder


@pytest.fixture
def jpeg(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (10, 15, 3), np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise).resize(JPEG_SIZE).save(path, quality=95)
    return path


def predict(*arguments: object):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def written(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def test_one_jpeg_gets_one_mask_by_every_way(network, run_folder, jpeg, tmp_path):
    encoded = tf.constant([jpeg.read_bytes()])
    by_keras = network(pictures.images_to_inputs(encoded, SIZE), training=False).numpy().argmax(-1)[0]
    signature = tf.saved_model.load(str(run_folder / "serving" / "10")).signatures["serving_default"]
    by_signature = signature(image_bytes=encoded)["mask"].numpy()[0]
    np.testing.assert_array_equal(by_signature, by_keras)
    expected = at_size(by_keras.astype(np.uint8), JPEG_SIZE[1], JPEG_SIZE[0])
    for name, options in {"plain": (), "format": ("--format", "masks"), "beam": ("--beam",)}.items():
        result = predict(run_folder, jpeg, "-o", tmp_path / name, *options)
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[-1] == str(tmp_path / name)
        np.testing.assert_array_equal(Image.open(tmp_path / name / "masks" / "photo.png"), expected)


def test_mask_and_overlay_have_the_pictures_size_and_the_models_colours(run_folder, jpeg, tmp_path):
    out = tmp_path / "out"
    assert predict(run_folder, jpeg, "-o", out).exit_code == 0
    mask, shown = Image.open(out / "masks" / "photo.png"), Image.open(out / "overlays" / "photo.jpg")
    assert mask.size == shown.size == JPEG_SIZE
    assert mask.mode == "P"
    assert mask.getpalette()[: 3 * CLASSES] == palette(CLASSES).ravel().tolist()
    painted = io.BytesIO()
    Image.fromarray(overlay(np.asarray(Image.open(jpeg)), np.asarray(mask))).save(painted, "JPEG", quality=90)
    assert (out / "overlays" / "photo.jpg").read_bytes() == painted.getvalue()
    assert written(out) == {"masks/photo.png", "overlays/photo.jpg", "classes.csv"}


@pytest.mark.parametrize(
    ("suffix", "mode"), [("tif", "RGB"), ("bmp", "RGB"), ("webp", "RGB"), ("png", "RGBA"), ("png", "L"), ("png", "P")]
)
def test_any_common_format_is_taken(run_folder, tmp_path, suffix, mode):
    path = tmp_path / f"picture.{suffix}"
    Image.effect_noise((40, 30), 80).convert(mode).save(path)
    assert predict(run_folder, path, "-o", tmp_path / "out").exit_code == 0
    assert Image.open(tmp_path / "out" / "masks" / "picture.png").size == (40, 30)


def test_a_turned_photo_is_predicted_upright(run_folder, jpeg, tmp_path):
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    Image.open(jpeg).save(turned, exif=exif, quality=95)
    assert predict(run_folder, turned, "-o", tmp_path / "out").exit_code == 0
    assert Image.open(tmp_path / "out" / "masks" / "turned.png").size == JPEG_SIZE[::-1]


def test_a_folders_pictures_are_written_as_they_lie_there(run_folder, jpeg):
    (jpeg.parent / "deep").mkdir()
    for other in ("b.JPG", "photo.jpe", "deep/photo.jpg"):
        shutil.copy(jpeg, jpeg.parent / other)
    out = jpeg.parent / "out"
    assert predict(run_folder, jpeg.parent, "-o", out, "--format", "masks").exit_code == 0
    assert written(out / "masks") == {"b.png", "deep/photo.png", "photo.jpe.png", "photo.jpg.png"}


@pytest.mark.parametrize("options", [(), ("--format", "masks"), ("--beam",)])
@pytest.mark.parametrize("content", [b"", b"not a picture", "truncated"])
def test_a_damaged_picture_is_listed_and_does_not_stop_the_others(run_folder, jpeg, tmp_path, content, options):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(jpeg.read_bytes()[:500] if content == "truncated" else content)
    out = tmp_path / "out"
    result = predict(run_folder, bad, jpeg, "-o", out, *options)
    assert result.exit_code == 0, result.output
    [sentence] = (out / "failed.txt").read_text().splitlines()
    assert sentence.startswith(str(bad))
    assert sentence in result.stderr
    assert f"1 picture, 1 failed: {out}/failed.txt" in result.stderr
    assert (out / "masks" / "photo.png").is_file()
    assert not list(out.glob("failed-*"))

    assert predict(run_folder, jpeg, "-o", out, *options).exit_code == 0
    assert not (out / "failed.txt").exists()  # It is true of the last call.


@pytest.mark.parametrize("options", [(), ("--beam",)])
def test_no_picture_at_all_is_the_users_error(run_folder, tmp_path, options):
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    result = predict(run_folder, tmp_path / "bad.jpg", "-o", tmp_path / "out", *options)
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == "no picture could be predicted."


@pytest.mark.parametrize("form", ["demo", "runs/demo", "runs/demo/serving", "runs/demo/serving/10", "memory://b/m/3"])
def test_a_model_is_named_in_any_form(run_folder, jpeg, tmp_path, form, monkeypatch):
    for path in (run_folder / "serving" / "10").rglob("*"):
        if path.is_file():
            below = path.relative_to(run_folder / "serving" / "10")
            fsspec.filesystem("memory").pipe_file(f"/b/m/3/{below}", path.read_bytes())
    monkeypatch.chdir(run_folder.parents[1])
    assert predict(form, jpeg, "-o", tmp_path / "out").exit_code == 0


def test_a_beam_argument_without_beam_is_refused(run_folder, jpeg, tmp_path):
    result = predict(run_folder, jpeg, "-o", tmp_path / "out", "--beam-arg=--runner=DataflowRunner")
    assert isinstance(result.exception, UserError)
    assert "--beam-arg is for Apache Beam; give --beam, too" in str(result.exception)


@pytest.mark.parametrize(
    ("model_dir", "picture", "output", "refused"),
    [
        ("runs/demo/serving/1", "gs://b/x.png", "gs://b/o", "runs/demo/serving/1, the model on"),
        ("gs://b/m/1", "x.png", "gs://b/o", "x.png, a picture on"),
        ("gs://b/m/1", "gs://b/x.png", "o", "o, --out on"),
    ],
)
def test_a_path_of_this_machine_is_refused_before_workers_elsewhere_are_paid(model_dir, picture, output, refused):
    with pytest.raises(UserError, match=f"the workers of DataflowRunner cannot reach {refused}"):
        predict_with_beam.predict(
            model_dir, [Listed(picture, "x", 0)], output, ["masks"], 1, ["--runner=DataflowRunner"]
        )
