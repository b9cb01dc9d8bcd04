"""What a person reads who gave something wrong: one line that says what to do, and exit status 2, within seconds."""

import json
import re
import signal
import subprocess
import sys

import pytest
from PIL import Image

from segpipe.ingest import feature_schema
from tests import shapes

PIPELINE_TOML = """
[source]
path = "data"

[data]
classes = ["ground", "disk", "square"]
"""


@pytest.fixture
def project(tmp_path):
    shapes.write_folder(tmp_path / "data", count=12)
    (tmp_path / "farm.toml").write_text(PIPELINE_TOML)
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(shapes.CLASSES))
    return tmp_path


def segpipe(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "segpipe.cli.main", *arguments], capture_output=True, text=True, cwd=folder, check=False
    )


def remove_masks(folder, *names):
    for name in names:
        (folder / "data" / "masks" / f"{name}.png").unlink()


@pytest.mark.parametrize(
    ("spoil", "arguments", "sentences"),
    [
        (lambda folder: None, ["none.toml"], ["no such config: none.toml", "segpipe init"]),
        (lambda folder: None, ["farm.toml", "--set", "train.epoch=1"], ["train.epoch", "did you mean train.epochs?"]),
        (lambda folder: None, ["farm.toml", "--set", "data.image_size=100"], ["multiple of 32, got 100", "try 96"]),
        (lambda folder: None, ["farm.toml", "--set", "source.path=nowhere"], ["nowhere"]),
        (
            lambda folder: None,
            ["farm.toml", "--set", "data.classes=['ground', 'disk']"],
            ["schema.pbtxt", "3", "2"],
        ),
        (
            lambda folder: remove_masks(folder, *(f"{n:03d}" for n in range(7))),
            ["farm.toml"],
            ["7 images without a mask", "000.jpg", "004.jpg"],
        ),
        (
            lambda folder: (folder / "data" / "images" / "003.jpg").unlink(),
            ["farm.toml"],
            ["1 mask without an image", "003.png"],
        ),
        (
            lambda folder: None,
            ["farm.toml", "--set", "split.train=1", "--set", "split.eval=0", "--set", "split.test=0"],
            ["eval"],
        ),
    ],
    ids=["no config", "unknown key", "image size", "no folder", "schema", "no mask", "no image", "empty split"],
)
def test_a_mistake_is_one_line_before_anything_slow(project, spoil, arguments, sentences):
    spoil(project)
    refused = segpipe(project, "run", *arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    assert line.startswith("segpipe: ")
    for sentence in sentences:
        assert sentence in line
    assert not (project / "runs").exists()


@pytest.mark.parametrize("number", ["010"])
def test_prepare_names_a_truncated_picture_a_wrong_size_and_a_wrong_value(project, number):
    images, masks = project / "data" / "images", project / "data" / "masks"
    cut = (images / "001.jpg").read_bytes()
    (images / "001.jpg").write_bytes(cut[: len(cut) // 2])
    Image.new("L", (10, 10)).save(masks / "002.png")
    mask = Image.open(masks / f"{number}.png")
    mask.putpixel((0, 0), 77)
    mask.save(masks / f"{number}.png")
    refused = segpipe(project, "prepare", "farm.toml", "-o", "out")
    assert refused.returncode == 2
    [line] = refused.stderr.strip().splitlines()
    for part in ("3 of 12 pictures", "001.jpg", "002.png", f"{number}.png", "77", "quarantine"):
        assert part in line
    assert not (project / "out").exists()


def test_a_file_where_a_folder_is_to_be_is_one_line(project):
    (project / "afile").touch()
    for arguments in (("prepare", "farm.toml", "-o", "afile"), ("init", "afile", "--data", "data")):
        ended = segpipe(project, *arguments)
        assert ended.returncode == 2
        [line] = ended.stderr.splitlines()[-1:]
        assert re.fullmatch(
            r"segpipe: .*afile.* cannot be used: .*\. Name another path, or change what is there\.", line
        )


def test_ctrl_c_says_that_the_same_command_continues(project):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background job would ignore it.
    try:
        command = [sys.executable, "-m", "segpipe.cli.main", "run", "farm.toml"]
        process = subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    first = process.stderr.readline()  # It is at work.
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, first + told
    assert told.endswith("segpipe: stopped; the same command continues.\n")
    for path in project.glob("runs/*/summary.json"):  # None if it was still loading.
        assert json.loads(path.read_text())["status"] == "interrupted"


def test_usage_is_explained_with_status_2(tmp_path):
    refused = segpipe(tmp_path, "run")
    assert refused.returncode == 2
    assert "CONFIG" in refused.stderr
