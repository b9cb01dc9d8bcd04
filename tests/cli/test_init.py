"""`segpipe init` on the layouts that people have, and `segpipe prepare` on what it wrote."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segpipe import config as config_module
from segpipe.cli.init import init
from segpipe.cli.prepare import prepare
from segpipe.errors import DataError, UserError
from tests import pictures


@pytest.fixture
def dataset(tmp_path):
    return partial(pictures.write_folder, tmp_path / "data")


def prepared(tmp_path: Path) -> dict[str, int]:
    """Pictures by split, of what `init` wrote."""
    prepare(tmp_path / "a" / "pipeline.toml", out=str(tmp_path / "shards"), workers=1)
    return json.loads((tmp_path / "shards" / "prepared.json").read_text())["counts"]


def test_trimaps_get_their_names_in_the_order_of_their_values(dataset, tmp_path):
    root = dataset(30, values=(1, 2, 3))
    (root / "masks").rename(root / "trimaps")
    init(tmp_path / "pets", data=root, classes="pet, background,border")
    settings = config_module.load(tmp_path / "pets" / "pipeline.toml")
    assert settings.data.classes == ("pet", "background", "border")
    assert settings.data.mask_values == (1, 2, 3)
    assert settings.data.ignore_values == ()
    assert settings.source.masks == "trimaps"


def test_255_is_ignored_where_it_is_a_border_and_not_where_it_is_the_other_class(dataset, tmp_path):
    root = dataset(30)
    for path in (root / "masks").iterdir():
        values = np.asarray(pictures.mask(values=(0, 1))).copy()
        values[:, 10:13] = 255
        path.write_bytes(pictures.encoded(Image.fromarray(values)))
    init(tmp_path / "voc", data=root)
    assert config_module.load(tmp_path / "voc" / "pipeline.toml").data.ignore_values == (255,)
    for path in (root / "masks").iterdir():
        path.write_bytes(pictures.encoded(pictures.mask(values=(0, 255))))
    init(tmp_path / "binary", data=root)
    binary = config_module.load(tmp_path / "binary" / "pipeline.toml").data
    assert (binary.classes, binary.mask_values) == (("background", "object"), (0, 255))


@pytest.mark.parametrize("name", ["{}_mask", "mask_{}", "gt-{}-v2", "{}.seg"])
def test_masks_with_a_constant_part_in_their_names_pair_up(name, dataset, tmp_path):
    root = dataset(30)
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_name(f"{name.format(path.stem)}.png"))
    init(tmp_path / "a", data=root)
    assert sum(prepared(tmp_path).values()) == 30


@pytest.mark.parametrize("suffix", ["_mask", "-gt", ".label"])
def test_images_and_masks_in_one_folder_pair_up(suffix, dataset, tmp_path):
    root = dataset(30)
    for path in list(root.rglob("*.*")):
        path.rename(root / (f"{path.stem}{suffix}.png" if path.parent.name == "masks" else path.name))
    for kind in ("images", "masks"):
        (root / kind).rmdir()
    init(tmp_path / "a", data=root)
    assert sum(prepared(tmp_path).values()) == 30


def test_an_image_without_a_mask_is_named_under_any_naming(dataset, tmp_path):
    root = dataset(30)
    for path in list((root / "masks").iterdir()):
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    (root / "masks" / "p07_mask.png").unlink()
    with pytest.raises(DataError, match=r"1 image without a mask \(.*p07\.jpg\)"):
        init(tmp_path / "a", data=root)


def test_pictures_alone_in_a_folder_are_no_pairs(tmp_path):
    for index in range(6):
        (tmp_path / f"a_{index}.png").write_bytes(pictures.encoded(pictures.image(index)))
    with pytest.raises(DataError, match=r"has no folder images, image"):
        init(tmp_path / "a", data=tmp_path)


@pytest.mark.parametrize(("ignore", "values"), [("255", (0, 127)), ("none", (0, 127, 255))])
def test_areas_of_255_are_asked_about(ignore, values, dataset, tmp_path, capsys):
    root = dataset(30, values=(0, 127, 255))
    with pytest.raises(DataError, match=r"255 covers 33\.3% .* Say --ignore 255, or --ignore none for a class"):
        init(tmp_path / "a", data=root)
    init(tmp_path / "a", data=root, ignore=ignore)
    assert config_module.load(tmp_path / "a" / "pipeline.toml").data.mask_values == values
    assert f"{0 if ignore == 'none' else 33.3:.1f}% of the pixels are ignored" in capsys.readouterr().err


def test_soft_edges_are_cut_where_a_person_says(dataset, tmp_path):
    root = dataset(30)
    soft = np.clip((np.arange(24, dtype=int) - 6) * 21, 0, 255)  # 13 values between black and white.
    for path in (root / "masks").iterdir():
        wide = np.repeat(np.concatenate([np.zeros(300, int), soft, np.full(300, 255)]), 1)
        path.write_bytes(pictures.encoded(Image.fromarray(np.tile(wide.astype(np.uint8), (16, 1)))))
        pictures.image(0, size=(624, 16)).save(root / "images" / f"{path.stem}.jpg")
    with pytest.raises(DataError, match=r"between 0 and 255: a soft edge\. Say --mask-threshold 128"):
        init(tmp_path / "a", data=root)
    init(tmp_path / "a", data=root, mask_threshold=128)
    data = config_module.load(tmp_path / "a" / "pipeline.toml").data
    assert (data.classes, data.mask_threshold, data.mask_values) == (("background", "object"), 128, ())
    assert sum(prepared(tmp_path).values()) == 30


def test_an_ignored_value_that_is_no_value_is_refused(dataset, tmp_path):
    with pytest.raises(UserError, match=r"--ignore takes mask values from 0 to 255, .* got '256'"):
        init(tmp_path / "a", data=dataset(30), ignore="256")


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
