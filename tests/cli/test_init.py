"""`segpipe init` on the layouts that people have, and `segpipe prepare` on what it wrote."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from segpipe import config as config_module
from segpipe.cli.init import init
from segpipe.cli.prepare import prepare
from segpipe.errors import DataError, UserError
from tests import pictures


@pytest.fixture
def dataset(tmp_path):
    return partial(pictures.write_folder, tmp_path / "data")


def test_trimaps_get_their_names_in_the_order_of_their_values(dataset, tmp_path):
    root = dataset(30, values=(1, 2, 3))
    (root / "masks").rename(root / "trimaps")
    init(tmp_path / "pets", data=root, classes="pet, background,border")
    settings = config_module.load(tmp_path / "pets" / "pipeline.toml")
    assert settings.data.classes == ("pet", "background", "border")
    assert settings.data.mask_values == (1, 2, 3)
    assert settings.data.ignore_values == ()
    assert settings.source.masks == "trimaps"


def test_255_is_ignored_unless_it_is_the_other_class_of_a_binary_mask(dataset, tmp_path):
    root = dataset(30, values=(0, 1, 255))
    init(tmp_path / "voc", data=root)
    assert config_module.load(tmp_path / "voc" / "pipeline.toml").data.ignore_values == (255,)
    for path in (root / "masks").iterdir():
        path.write_bytes(pictures.encoded(pictures.mask(values=(0, 255))))
    init(tmp_path / "binary", data=root)
    binary = config_module.load(tmp_path / "binary" / "pipeline.toml").data
    assert (binary.classes, binary.mask_values) == (("background", "object"), (0, 255))


def test_a_relative_path_stays_valid_from_the_config(dataset, tmp_path, monkeypatch):
    dataset(30)
    monkeypatch.chdir(tmp_path)
    init(Path("run"), data=Path("data"))
    settings = config_module.load("run/pipeline.toml")
    assert settings.source.path == "../data"


def test_a_name_beyond_the_first_plane_is_valid_in_the_config(dataset, tmp_path):
    data = dataset(30).rename(tmp_path / "Fotos 📷")
    init(tmp_path / "run", data=data)
    assert config_module.load(tmp_path / "run" / "pipeline.toml").source.path.endswith("Fotos 📷")


def test_a_mask_that_was_never_fetched_is_named(dataset, tmp_path):
    link = dataset(30) / "masks" / "p00.png"
    link.unlink()
    link.symlink_to(tmp_path / "annex" / "key")
    with pytest.raises(DataError, match=r"masks/p00\.png does not exist\."):
        init(tmp_path / "run", data=tmp_path / "data")


def test_existing_files_are_kept_without_force(dataset, tmp_path):
    root = dataset(30)
    init(tmp_path / "a", data=root)
    with pytest.raises(UserError, match=r"already there; --force overwrites"):
        init(tmp_path / "a", data=root)
    init(tmp_path / "a", data=root, force=True)


def test_too_few_names_are_told_and_nothing_is_written(dataset, tmp_path):
    with pytest.raises(UserError, match=r"--classes names 1 \(cat\), but the masks hold 2 values: 0, 1"):
        init(tmp_path / "a", data=dataset(30), classes="cat")
    assert not (tmp_path / "a").exists()


def test_masks_that_are_pictures_are_told(dataset, tmp_path):
    root = dataset(1)
    (root / "masks" / "p00.png").write_bytes(pictures.encoded(pictures.image(size=(99, 99)).convert("L")))
    with pytest.raises(DataError, match="they look like pictures"):
        init(tmp_path / "a", data=root)


def test_prepare_prints_where_the_shards_are(dataset, tmp_path, capsys):
    init(tmp_path / "a", data=dataset(30))
    prepare(tmp_path / "a" / "pipeline.toml", out=str(tmp_path / "shards"), workers=1)
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "shards")
    assert json.loads((tmp_path / "shards" / "prepared.json").read_text())["counts"]


def test_neither_verb_imports_tensorflow():
    code = (
        "import sys, segpipe.cli.init, segpipe.cli.prepare, segpipe.ingest.prepare; print('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
