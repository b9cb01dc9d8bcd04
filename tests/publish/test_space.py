import ast
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from segpipe.errors import ConfigError
from segpipe.ingest.picture import load, to_8_bit
from segpipe.publish.files import File
from segpipe.publish.space import local
from segpipe.publish.space.plan import TEMPLATES, ModelRevision, SpacePlan, requirements
from tests import shapes
from tests.servers.hub_metadata import problems

MODEL = ModelRevision("me/pets", "v100", "c0ffee" * 6 + "c0ff", "https://hub/me/pets/tree/v100")

sys.path.insert(0, str(TEMPLATES))
from predictor import BadPictureError, Predictor  # noqa: E402


def rendered(**arguments: object) -> dict[str, str]:
    return {file.path: file.read().decode() for file in SpacePlan("me/pets", **arguments).render(MODEL)}


@pytest.mark.parametrize("sdk", ["gradio", "streamlit"])
def test_the_space_is_pinned_and_valid(sdk: str):
    files = rendered(sdk=sdk)
    assert f'REVISION = "{MODEL.commit_id}"' in files["app.py"]
    assert 'REPO_ID = "me/pets"' in files["app.py"]
    assert not any("$MODEL" in text for text in files.values())
    assert problems(files["README.md"], "space") == []
    ast.parse(files["app.py"])


def test_gradio_runs_on_its_sdk_and_streamlit_in_docker():
    assert yaml.safe_load(rendered(sdk="gradio")["README.md"].split("---")[1])["sdk"] == "gradio"
    front = yaml.safe_load(rendered(sdk="streamlit")["README.md"].split("---")[1])
    assert (front["sdk"], front["app_port"]) == ("docker", 8501)
    assert "--server.port=8501" in rendered(sdk="streamlit")["Dockerfile"]


@pytest.mark.parametrize("sdk", ["gradio", "streamlit"])
def test_requirements_are_few_and_pinned(sdk: str):
    lines = requirements(sdk).splitlines()
    assert len(lines) <= 5
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in lines)
    assert not {"tfx", "segpipe", "tensorflow"} & {line.split("==")[0] for line in lines}


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.py")), ids=lambda path: path.name)
def test_the_app_imports_nothing_of_the_pipeline(path: Path):
    tree = ast.parse(path.read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    allowed = {"gradio", "streamlit", "numpy", "PIL", "tensorflow", "huggingface_hub", "predictor"}
    assert {name.split(".")[0] for name in names} <= allowed | set(sys.stdlib_module_names)


def test_a_template_of_ones_own_with_its_own_placeholders(app_dir: Path):
    (app_dir / "logo.png").write_bytes(b"\x89PNG $MODEL_VERSION")
    (app_dir / "weights").write_bytes(b"\xff$MODEL_VERSION")
    (app_dir / ".env").write_text("HF_TOKEN=hf_secret")
    files = {f.path: f.read() for f in SpacePlan("me/x", app_path=app_dir).render(MODEL)}
    assert files["app.py"].decode() == f'MODEL = "me/pets@{MODEL.commit_id} (v100) https://hub/me/pets/tree/v100"\n'
    assert files["logo.png"] == b"\x89PNG $MODEL_VERSION"
    assert files["weights"] == b"\xff$MODEL_VERSION"
    assert "requirements.txt" in files
    assert ".env" not in files
    (app_dir / "app.py").write_text("MODEL = '<<repo>>'\n")
    mine = SpacePlan("me/x", app_path=app_dir, placeholders={"MODEL_REPO_ID": "<<repo>>"})
    assert {f.path: f.read() for f in mine.render(MODEL)}["app.py"] == b"MODEL = 'me/pets'\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sdk": "docker"}, "space_sdk must be one of gradio, streamlit"),
        ({"placeholders": {"MODEL": "x"}}, "placeholders can be MODEL_REPO_ID"),
        ({"app_path": Path("/nowhere")}, r"a folder with app\.py"),
    ],
)
def test_a_wrong_space_is_refused_before_any_request(arguments: dict, sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        SpacePlan("me/pets", **arguments)


def test_examples_come_along():
    space = SpacePlan("me/pets", examples=(File("cat.jpg", b"jpeg"),))
    assert File("examples/cat.jpg", b"jpeg") in space.render(MODEL)


def test_a_run_as_seen_from_here_can_be_shown(tmp_path: Path, monkeypatch):
    (tmp_path / "runs/demo/serving/10").mkdir(parents=True)
    (tmp_path / "runs/demo/serving/10/saved_model.pb").touch()
    monkeypatch.chdir(tmp_path)
    process = local.start(Path("runs/demo/serving/10"), tmp_path / "app", "gradio", port=1)
    process.kill()
    process.wait()
    assert (tmp_path / "runs/demo/serving/10").as_uri() in (tmp_path / "app/README.md").read_text()


# The predictor


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def predictor(saved_model: Path) -> Predictor:
    return Predictor(saved_model)


@pytest.fixture
def drawn() -> tuple[Image.Image, np.ndarray]:
    image, mask = shapes.draw(np.random.default_rng(3), 200, 130)
    return image, np.asarray(mask)


def test_finds_the_shapes_at_the_pictures_own_size(predictor: Predictor, drawn):
    image, truth = drawn
    prediction = predictor.predict(encoded(image))
    assert prediction.mask.shape == truth.shape == (130, 200)
    assert (prediction.mask == truth).mean() > 0.95
    assert prediction.shares["disk"] == pytest.approx((truth == 1).mean(), abs=0.02)
    assert 0.5 < prediction.confidence <= 1


def test_the_mask_is_the_signatures_own(predictor: Predictor, saved_model: Path):
    import tensorflow as tf

    content = encoded(shapes.draw(np.random.default_rng(4), 64, 64)[0], "JPEG", quality=70)
    run = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
    expected = run(image_bytes=tf.constant([content]))["mask"].numpy()[0]
    np.testing.assert_array_equal(predictor.predict(content).mask, expected)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(predictor.predict(content).mask_png()))), expected)


@pytest.mark.parametrize("size", [(220, 150), (64, 64), (31, 97), (1000, 333)])
def test_masks_grow_as_segpipe_predicts(predictor: Predictor, saved_model: Path, size: tuple[int, int]):
    from segpipe.predict.files import predicted
    from segpipe.predict.listing import Listed
    from segpipe.savedmodel.load import load

    content = encoded(shapes.draw(np.random.default_rng(6), *size)[0])
    [outputs] = load(saved_model).signature().run([content])
    expected = predicted(Listed("x.png", "x", 0), content, outputs).mask
    np.testing.assert_array_equal(predictor.predict(content).mask, expected)


def test_a_prediction_takes_less_than_half_a_second(predictor: Predictor):
    content = encoded(shapes.draw(np.random.default_rng(5), 128, 128)[0])
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        predictor.predict(content)
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.5


def test_a_phones_rotated_picture_is_turned_upright(predictor: Predictor, drawn):
    image, truth = drawn
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side; shown turned by 90° clockwise
    stored = image.transpose(Image.Transpose.ROTATE_90)
    prediction = predictor.predict(encoded(stored, "JPEG", quality=95, exif=exif))
    assert prediction.mask.shape == truth.shape
    assert (prediction.mask == truth).mean() > 0.95


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("P", "PNG"), ("L", "JPEG"), ("RGB", "WEBP"), ("RGB", "BMP"), ("CMYK", "TIFF")]
)
def test_other_pictures_are_taken_too(predictor: Predictor, drawn, mode: str, kind: str):
    assert predictor.predict(encoded(drawn[0].convert(mode), kind)).mask.shape == (130, 200)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16", "I"])
def test_every_mode_is_read_as_the_training_pictures_were(predictor: Predictor, drawn, mode: str):
    if mode.startswith("I"):
        image = Image.fromarray(np.arange(130 * 200, dtype=np.uint16).reshape(130, 200)).convert(mode)
    else:
        image = drawn[0].convert(mode)
    if image.mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    content = encoded(image, "TIFF" if mode == "CMYK" else "PNG")
    expected = to_8_bit(load(content, "x", 100)).convert("RGB")
    np.testing.assert_array_equal(predictor.predict(content).picture, np.asarray(expected))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no picture", "no picture that can be read"),
        (b"", "no picture that can be read"),
        (encoded(Image.new("RGB", (300, 300), "red"), "JPEG")[:500], "damaged or cut off"),
        (encoded(Image.new("L", (10_000, 5_000))), "megapixels"),
    ],
)
def test_a_bad_file_gets_a_useful_sentence(predictor: Predictor, content: bytes, sentence: str):
    with pytest.raises(BadPictureError, match=sentence):
        predictor.predict(content)


def test_opacity_blends_between_picture_and_colours(predictor: Predictor, drawn):
    prediction = predictor.predict(encoded(drawn[0]))
    np.testing.assert_array_equal(prediction.overlay(predictor.palette, 0), np.asarray(drawn[0]))
    np.testing.assert_array_equal(prediction.overlay(predictor.palette, 1), predictor.palette[prediction.mask])


def test_streamlit_draws_again_without_a_walk_over_all_of_tensorflow(saved_model: Path, tmp_path: Path):
    """Streamlit collects garbage after every draw, and holds up the next picture for as long."""
    for file in SpacePlan("me/pets", sdk="streamlit").render(MODEL):
        (tmp_path / file.path).write_bytes(file.read())
    script = """
import gc
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=300).run()
assert not app.exception, app.exception
assert len(gc.get_objects()) < 100_000, len(gc.get_objects())
"""
    environment = {**os.environ, "SEGPIPE_MODEL_DIR": str(saved_model)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
