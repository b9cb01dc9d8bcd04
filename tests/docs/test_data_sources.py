"""Every config of a source in docs/data.md reads the pictures that it is written for."""

import re

import pytest

from segpipe import config as config_module
from segpipe.config.source import KINDS
from segpipe.ingest import feature_schema
from segpipe.ingest.prepare import prepare
from tests import pictures
from tests.docs import blocks
from tests.ingest.sources import layouts

DATA = """
[data]
classes = ["pet", "background", "border"]
mask_values = [1, 2, 3]
"""
SHOWN = {block.title: block for block in blocks.of("toml") if block.page == "docs/data.md" and block.title}


def folder_by_regex(root):
    for name in layouts.names():
        (root / name).mkdir(parents=True)
        (root / name / "photo.jpg").write_bytes(layouts.image_bytes(name))
        (root / name / "photo_mask.png").write_bytes(layouts.mask_bytes(name))


def spans(root):
    for number in (1, 2, 3, 4):
        pictures.write_folder(root.parent / f"span-{number}", 10, layouts.VALUES)


LAYOUTS = {**layouts.ALL, "folder_by_regex": folder_by_regex, "spans": spans}


def test_every_kind_is_shown():
    kinds = set(re.findall(r'kind = "(\w+)"', "".join(block.text for block in SHOWN.values())))
    assert kinds | {"basemap"} == set(KINDS)  # The demo's config shows that one.
    assert set(SHOWN) == set(LAYOUTS)


@pytest.mark.parametrize("title", SHOWN)
def test_it_reads_the_pictures_and_its_schema_agrees(title, tmp_path):
    LAYOUTS[title](tmp_path / "pets")
    text = SHOWN[title].text
    (tmp_path / "pipeline.toml").write_text(text if "[data]" in text else text + DATA)
    (tmp_path / "published.pbtxt").write_text((blocks.ROOT / "benchmarks" / "published_design.pbtxt").read_text())
    feature_schema.write(tmp_path / "schema.pbtxt", feature_schema.build(layouts.CLASSES))
    config = config_module.load(tmp_path / "pipeline.toml")
    feature_schema.check(config)
    assert sum(prepare(config, tmp_path / "out", workers=1).counts.values()) == layouts.NUMBER
