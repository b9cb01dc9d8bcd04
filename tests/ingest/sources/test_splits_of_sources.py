"""Who decides the split: globs, a column, the data set itself, the hash; and what is carved out of train."""

import json
import shutil
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segpipe import schema
from segpipe.errors import ConfigError, DataError
from segpipe.ingest import example, sources, splits
from segpipe.ingest.prepare import prepare
from segpipe.io import tfrecord
from tests import pictures
from tests.ingest.sources import layouts
from tests.ingest.sources.test_identical import read


def _splits(config) -> dict[str, str]:
    return {
        record.id: splits.assign(record, config.split) for part in sources.parts(config) for record in part.records()
    }


def test_globs_decide_and_a_file_that_matches_none_is_named(dataset):
    root = dataset([f"train-{i}" for i in range(8)] + ["val-0", "val-1", "test-0"])
    globs = {"train": "train-*", "eval": "val-*", "test": "test-*"}
    assert Counter(_splits(pictures.config(root, split={"globs": globs})).values()) == {
        "train": 8,
        "eval": 2,
        "test": 1,
    }
    dataset(["other"])
    with pytest.raises(DataError, match=r"other\.jpg matches none of split\.globs \(train-\*, val-\*, test-\*\)"):
        _splits(pictures.config(root, split={"globs": globs}))


def test_the_published_globs_get_a_test_split_carved_out_of_train(dataset):
    root = dataset([f"train-{i:03d}" for i in range(100)] + [f"val-{i}" for i in range(10)])
    found = _splits(pictures.config(root, split={"globs": {"train": "train-*", "eval": "val-*"}}))
    assert {name for name, split in found.items() if split == "eval"} == {f"val-{i}" for i in range(10)}
    assert 8 <= Counter(found.values())["test"] <= 25


_GLOBS = {"train": "*train*", "eval": "*val*", "test": "*test*"}


@pytest.mark.parametrize(
    ("kind", "path"),
    [("parquet", ""), ("parquet", "*/*.parquet"), ("tfrecord", ""), ("tfrecord", "*/*"), ("huggingface", "")],
)
@pytest.mark.parametrize("globs", [_GLOBS, {"train": "train/*", "eval": "val/*", "test": "test/*"}])
def test_globs_see_a_file_of_pictures_from_the_folder_that_is_searched(kind, path, globs, tmp_path):
    root, suffix = tmp_path / "training_data", "tfrecord" if kind == "tfrecord" else "parquet"
    (layouts.tfrecord if kind == "tfrecord" else layouts.huggingface)(tmp_path / "in")
    one = next((tmp_path / "in").rglob(f"*.{suffix}")).read_bytes()
    for name in ("train", "val", "test"):
        (root / name).mkdir(parents=True)
        (root / name / f"a.{suffix}").write_bytes(one)
    source = {"kind": kind, "path": str(root / path)}
    source |= {"mask_column": "annotation"} if kind != "tfrecord" else {}
    config = pictures.config("", source=source, split={"globs": globs})
    assert [part.split for part in sources.parts(config)] == ["test", "train", "eval"]


@pytest.mark.parametrize("image", ["{}", "./{}", "ROOT/{}"])
@pytest.mark.parametrize("globs", [_GLOBS, {"train": "train/*", "eval": "val/*", "test": "test/*"}])
def test_globs_see_a_csv_picture_from_the_images_folder(globs, image, tmp_path):
    root = tmp_path / "training_data"
    root.mkdir()
    rows = [image.replace("ROOT", str(root)).format(f"{name}/a.jpg") + ",m.png" for name in ("train", "val", "test")]
    (root / "t.csv").write_text("\n".join(["image,mask", *rows]))
    config = pictures.config(root / "t.csv", source={"kind": "csv"}, split={"globs": globs})
    assert sorted(_splits(config).values()) == ["eval", "test", "train"]


def test_globs_see_coco_annotations_from_their_folder_and_voc_pictures_by_file_name(tmp_path):
    coco = layouts.coco(tmp_path / "training_data")
    annotations = tmp_path / "training_data" / "annotations"
    for name in ("train", "val", "test"):
        shutil.copy(annotations / "instances.json", annotations / f"{name}.json")
    (annotations / "instances.json").unlink()
    coco = _with(_with(coco, "split", globs=_GLOBS), "source", path=str(annotations))
    assert Counter(_splits(coco).values()) == {"train": 30, "eval": 30, "test": 30}
    voc = layouts.voc(tmp_path / "voc")
    globs = {"train": "p0*.jpg", "eval": "p1*.jpg", "test": "p2*.jpg"}
    assert Counter(_splits(_with(voc, "split", globs=globs)).values()) == {"train": 10, "eval": 10, "test": 10}


def test_folders_named_like_splits_decide(dataset):
    root = dataset(["train/a", "train/b", "valid/a", "test/c"])
    assert _splits(pictures.config(root)) == {
        "train/a": "train",
        "train/b": "train",
        "valid/a": "eval",
        "test/c": "test",
    }


def test_a_regular_expression_can_name_split_and_id(tmp_path):
    """As Roboflow exports: train/images/x.jpg beside train/masks/x.png."""
    for split in ("train", "valid", "test"):
        pictures.write_folder(tmp_path / split, ["a", "b"])
    source = {
        "image_regex": r"(?P<split>\w+)/images/(?P<id>.+)\.jpg",
        "mask_regex": r"(?P<split>\w+)/masks/(?P<id>.+)\.png",
    }
    found = _splits(pictures.config(tmp_path, source=source))
    assert Counter(found.values()) == {"train": 2, "eval": 2, "test": 2}
    assert found["eval/a"] == "eval"


def test_a_regular_expression_pairs_files_in_one_folder_per_picture(tmp_path):
    for i in range(60):
        (tmp_path / f"{i:02d}").mkdir()
        (tmp_path / f"{i:02d}" / "photo.jpg").write_bytes(pictures.encoded(pictures.image(i), "JPEG"))
        (tmp_path / f"{i:02d}" / "photo_mask.png").write_bytes(pictures.encoded(pictures.mask()))
    source = {"image_regex": r"(?P<id>.+)/photo\.jpg", "mask_regex": r"(?P<id>.+)/photo_mask\.png"}
    assert sorted(_splits(pictures.config(tmp_path, source=source))) == [f"{i:02d}" for i in range(60)]


def test_groups_of_ids_stay_together(dataset):
    root = dataset([f"cam{c}_{i}" for c in range(20) for i in range(3)])
    found = _splits(pictures.config(root, split={"group_regex": r"^(cam\d+)_"}))
    for camera in range(20):
        assert len({found[f"cam{camera}_{i}"] for i in range(3)}) == 1


def test_an_id_without_its_group_is_named(dataset):
    with pytest.raises(DataError, match=r"the id p0. does not match split\.group_regex"):
        _splits(pictures.config(dataset(3), split={"group_regex": r"^(cam\d+)_"}))


@pytest.fixture(params=["csv", "parquet"])
def table(request, tmp_path):
    """Thirty pictures with the columns `set`, `site` and `weather`."""
    config = layouts.folder(tmp_path / "in")
    rows = {
        "image": [f"images/{name}.jpg" for name in layouts.names()],
        "mask": [f"masks/{name}.png" for name in layouts.names()],
        "set": ["training"] * 20 + ["val"] * 6 + ["test"] * 4,
        "site": [f"s{i // 3}" for i in range(30)],
        "weather": ["sun", ""] * 15,
    }
    path = tmp_path / "in" / f"t.{request.param}"
    if request.param == "parquet":
        pq.write_table(pa.table(rows), path, row_group_size=7)
    else:
        lines = [",".join(rows), *(",".join(values) for values in zip(*rows.values(), strict=True))]
        path.write_text("\n".join(lines))
    return config.model_copy(
        update={"source": config.source.model_copy(update={"kind": request.param, "path": str(path)})}
    )


def _with(config, section, **keys):
    return config.model_copy(update={section: getattr(config, section).model_copy(update=keys)})


def test_a_column_decides(table):
    assert Counter(_splits(_with(table, "split", column="set")).values()) == {"train": 20, "eval": 6, "test": 4}


def test_a_group_column_keeps_rows_together(table):
    found = list(_splits(_with(table, "split", group_column="site", eval=0.3, train=0.4, test=0.3)).values())
    by_name = _splits(_with(table, "split", group_column="site", eval=0.3, train=0.4, test=0.3))
    ordered = [by_name[name] for name in sorted(by_name)]
    assert len(set(found)) == 3
    for site in range(10):
        assert len(set(ordered[3 * site : 3 * site + 3])) == 1


@pytest.mark.parametrize("layout", ["csv", "parquet_of_paths"])
def test_rows_without_a_group_are_dealt_one_by_one(layout, tmp_path):
    config = layouts.ALL[layout](tmp_path / "in")
    expected = _splits(config)
    if layout == "csv":  # A row that ends before its last column has no value there.
        path = tmp_path / "in" / "index.csv"
        path.write_text(path.read_text().replace("key\n", "key,site\n"))
    else:
        path = tmp_path / "in" / "index.parquet"
        table = pq.read_table(path)
        pq.write_table(table.append_column("site", pa.nulls(len(table), pa.string())), path)
    assert _splits(_with(config, "split", group_column="site")) == expected


def test_a_group_that_the_data_tears_apart_is_named(table, tmp_path):
    with pytest.raises(DataError, match=r"^2 groups would be in more than one split: s6, s8\. .* leave split\.column"):
        prepare(_with(table, "split", group_column="site", column="set"), tmp_path / "out", workers=1)


def test_what_is_carved_out_of_train_keeps_groups_together(dataset):
    names = [f"train-cam{c:02d}-{i}" for c in range(20) for i in range(3)]
    split = {"globs": {"train": "train-*", "test": "test-*"}, "group_regex": r"-(\w+)-", "eval": 0.4, "train": 0.45}
    found = _splits(pictures.config(dataset([*names, "test-cam99-0"]), split=split))
    assert set(found.values()) == {"train", "eval", "test"}
    for camera in range(20):
        assert len({found[f"train-cam{camera:02d}-{i}"] for i in range(3)}) == 1


def test_slice_columns_are_kept_and_empty_cells_left_out(table, tmp_path):
    prepare(_with(table, "source", slice_columns=("weather",)), tmp_path / "out", workers=1)
    kept = Counter(tuple(f.get(schema.SLICE_PREFIX + "weather", [])) for f in read(tmp_path / "out").values())
    assert kept == {(b"sun",): 15, (): 15}


@pytest.mark.parametrize(
    ("section", "keys", "reason"),
    [
        ("source", {"image_column": "photo"}, r"has no column photo; it has image, mask, set, site, weather"),
        ("split", {"column": "fold"}, r"has no column fold"),
        ("split", {"column": "site"}, r"names a split 's.'; known names are train, training, eval"),
    ],
)
def test_wrong_columns_are_told(table, section, keys, reason):
    with pytest.raises(DataError, match=reason):
        _splits(_with(table, section, **keys))


def test_tfds_keeps_its_own_test_split_and_gets_eval_out_of_train(tmp_path):
    config = layouts.tfds(tmp_path / "in")
    prepare(_with(config, "split", train=0.5, eval=0.4, test=0.1), tmp_path / "out", workers=1)
    found = read(tmp_path / "out")
    assert {name for name, features in found.items() if features["split"] == "test"} == set(layouts.names()[25:])
    assert {features["split"] for features in found.values()} == {"train", "eval", "test"}
    assert found["p00"]["slice/species"] == [b"Cat"]


@pytest.mark.parametrize(
    ("id_column", "ids"),
    [
        ("", {"cells-train.tfrecord-00000-of-00001-000000", "cells-train.tfrecord-00000-of-00001-000001"}),
        ("name", {"slide.1", "slide.2"}),
        ("file_name", {"a.b", "c"}),
    ],
)
def test_every_tfds_picture_has_its_own_id_and_only_a_file_name_loses_its_suffix(id_column, ids, tmp_path):
    root = tmp_path / "cells" / "1.0.0"
    root.mkdir(parents=True)
    info = {"name": "cells", "splits": [{"name": "train", "shardLengths": ["2"]}]}
    (root / "dataset_info.json").write_text(json.dumps(info))
    with (root / "cells-train.tfrecord-00000-of-00001").open("wb") as stream:
        for name, file_name in (("slide.1", "a.b.jpg"), ("slide.2", "c.jpg")):
            content = {"image": b"i", "segmentation_mask": b"m"}
            named = {"name": name.encode(), "file_name": file_name.encode()}
            tfrecord.write(stream, example.encode({**content, **named}))
    source = {"kind": "tfds", "dataset": "cells", "id_column": id_column}
    assert set(_splits(pictures.config(tmp_path, source=source))) == ids


def test_voc_and_the_hub_keep_their_own_splits(tmp_path):
    assert _splits(layouts.voc(tmp_path / "voc"))["p25"] == "eval"
    hub = _splits(layouts.huggingface(tmp_path / "hub"))
    assert [hub[name] for name in ("p00", "p20", "p29")] == ["train", "eval", "test"]


def test_files_of_one_name_in_two_folders_are_two_files(tmp_path):
    """As on the Hub's branch of converted data sets: default/train/0000.parquet and default/test/0000.parquet."""
    config = layouts.huggingface(tmp_path / "hub")
    for path in (tmp_path / "hub" / "data").iterdir():
        split = path.name.split("-")[0]
        (tmp_path / "hub" / "default" / split).mkdir(parents=True)
        path.rename(tmp_path / "hub" / "default" / split / "0000.parquet")
    found = _splits(_with(config, "source", id_column=""))
    assert Counter(found.values()) == {"train": 20, "eval": 5, "test": 5}
    assert found["default/validation/0000-000000"] == "eval"
    pattern = str(tmp_path / "hub" / "default" / "*" / "*.parquet")
    table = _with(config, "source", kind="parquet", path=pattern, id_column="", mask_column="annotation")
    assert "train/0000-000000" in _splits(table)


@pytest.mark.parametrize("layout", ["csv", "parquet_of_paths", "coco"])
def test_a_picture_that_a_table_names_counts_for_the_digest(layout, tmp_path):
    config = layouts.ALL[layout](tmp_path / "in")
    before = sources.digest(config)
    assert sources.digest(config) == before
    (tmp_path / "in" / "images" / "p03.jpg").write_bytes(b"other")
    assert sources.digest(config) != before


def test_a_picture_never_changes_its_split_when_others_come(dataset):
    before = _splits(pictures.config(dataset(40)))
    after = _splits(pictures.config(dataset([f"more{i}" for i in range(60)])))
    assert before.items() <= after.items()


def test_the_last_spans_are_read_and_their_ids_do_not_clash(tmp_path):
    for span in ("1", "2", "10"):
        pictures.write_folder(tmp_path / f"span-{span}", 20)
    path = str(tmp_path / "span-{SPAN}")
    newest = _splits(pictures.config(path, source={"spans": 2}))
    assert {name.split("/")[0] for name in newest} == {"2", "10"}
    assert len(newest) == 40
    assert len(_splits(pictures.config(path))) == 60
    assert sources.latest_span(pictures.config(path)) == 10


def test_a_new_span_changes_the_digest_and_moves_no_old_picture(tmp_path):
    for span in ("001", "002"):
        pictures.write_folder(tmp_path / span / "set", 20)
    config = pictures.config(str(tmp_path / "{SPAN:3}" / "set"))
    before, digest = _splits(config), sources.digest(config)
    pictures.write_folder(tmp_path / "003" / "set", 20)
    assert sources.digest(config) != digest
    assert before.items() <= _splits(config).items()


def test_spans_of_single_files(tmp_path):
    prepare(layouts.folder(tmp_path / "in"), tmp_path / "out", workers=1)
    whole = b"".join(path.read_bytes() for path in sorted((tmp_path / "out").glob("*.tfrecord")))
    for day in ("20260101", "20260102"):
        (tmp_path / f"day-{day}-of-x.tfrecord").write_bytes(whole)
    source = {"kind": "tfrecord", "spans": 1}
    config = pictures.config(str(tmp_path / "day-{SPAN}-*.tfrecord"), source=source, data={"classes": layouts.CLASSES})
    assert set(_splits(config)) == {f"20260102/{name}" for name in layouts.names()}


def test_no_span_yet_is_told(tmp_path):
    shutil.copytree(layouts.folder(tmp_path / "in").source.path, tmp_path / "span-x")
    with pytest.raises(DataError, match=r"nothing matches .*span-\{SPAN\} with a number for \{SPAN\}"):
        _splits(pictures.config(str(tmp_path / "span-{SPAN}")))


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"source": {"spans": 2}}, r"source\.spans needs \{SPAN\}"),
        ({"source": {"image_column": "a"}}, r"source\.image_column is for kind csv or parquet .*not for \"folder\""),
        ({"source": {"image_regex": "(?P<id>.+)"}}, r"belong together"),
        ({"source": {"image_regex": "(.+)", "mask_regex": "(?P<id>.+)"}}, r"has no group named id"),
        ({"split": {"globs": {"eval": "val-*"}}}, r"split\.globs must name train"),
        ({"split": {"group_regex": "cam"}}, r"has no group"),
        ({"data": {"mask_colors": ["#000000"]}}, r"2 classes, got 1 colours"),
    ],
)
def test_settings_that_cannot_be_are_refused_when_the_config_is_read(tmp_path, sections, reason):
    from segpipe import config as config_module

    path = tmp_path / "pipeline.toml"
    sections = {"data": {"classes": ["a", "b"]}, **sections}
    sections["data"] = {"classes": ["a", "b"], **sections["data"]}
    path.write_text(
        "name = 'x'\n"
        + "\n".join(
            f"[{name}]\n" + "\n".join(f"{key} = {_toml(value)}" for key, value in keys.items())
            for name, keys in sections.items()
        )
    )
    with pytest.raises(ConfigError, match=reason):
        config_module.load(path)


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)
