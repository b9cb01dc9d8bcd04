"""The schema file says what the data contract says, and a disagreement with the config is one sentence."""

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from segpipe.errors import DataError
from segpipe.ingest import feature_schema
from tests.pictures import config


@pytest.fixture
def written(tmp_path):
    def write(classes=("background", "object"), change=lambda built: None):
        built = feature_schema.build(classes, ["breed"])
        change(built)
        feature_schema.write(tmp_path / "schema.pbtxt", built)
        return config("/data", directory=tmp_path)

    return write


def test_what_is_written_is_read_back(tmp_path):
    built = feature_schema.build(["a", "b", "c"], ["breed"])
    feature_schema.write(tmp_path / "s.pbtxt", built)
    assert feature_schema.read(tmp_path / "s.pbtxt") == built


def test_types_shapes_and_domains():
    by_name = {feature.name: feature for feature in feature_schema.build(["a", "b", "c"], ["breed"]).feature}
    assert by_name["image"].type == schema_pb2.BYTES
    assert by_name["image"].HasField("shape")
    assert [dim.size for dim in by_name["class_fraction"].shape.dim] == [3]
    assert (by_name["brightness"].float_domain.min, by_name["brightness"].float_domain.max) == (0, 1)
    assert by_name["height"].type == schema_pb2.INT
    assert by_name["height"].presence.min_fraction == 1
    assert by_name["slice/breed"].presence.min_fraction == 0


def test_a_schema_that_agrees_passes(written):
    feature_schema.check(written())


def _drop_mask(built):
    built.feature.remove(next(feature for feature in built.feature if feature.name == "mask"))


def _wrong_type(built):
    next(feature for feature in built.feature if feature.name == "height").type = schema_pb2.FLOAT


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"classes": ("a", "b", "c")}, r"has 3 classes .* but data\.classes has 2: background, object"),
        ({"classes": ("object", "background")}, r"names the classes object, background, but data\.classes is backgr"),
        ({"change": _drop_mask}, r"has no feature 'mask'"),
        ({"change": _wrong_type}, r"feature 'height' must be INT, got FLOAT"),
    ],
)
def test_a_disagreement_is_one_sentence(written, arguments, reason):
    with pytest.raises(DataError, match=reason):
        feature_schema.check(written(**arguments))


def test_a_missing_or_broken_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no such schema"):
        feature_schema.check(config("/data", directory=tmp_path))
    (tmp_path / "schema.pbtxt").write_text("feature { nonsense: 1 }")
    with pytest.raises(DataError, match="is not a TensorFlow Metadata Schema"):
        feature_schema.check(config("/data", directory=tmp_path))


PUBLISHED = """
feature { name: "image" type: FLOAT float_domain { min: 0 max: 255 }
  shape { dim { size: 128 } dim { size: 128 } dim { size: 3 } } }
feature { name: "label" type: FLOAT float_domain { min: 0 max: 2 }
  shape { dim { size: 128 } dim { size: 128 } } }
"""


def _published(folder, text=PUBLISHED, kind="tfrecord", classes=("pet", "background", "border")):
    (folder / "schema.pbtxt").write_text(text)
    return config("/data", directory=folder, source={"kind": kind}, data={"classes": classes})


def test_the_published_schema_agrees_with_the_published_format(tmp_path):
    feature_schema.check(_published(tmp_path))


def test_what_the_published_schema_says_is_said_of_our_examples(tmp_path):
    feature_schema.check(settings := _published(tmp_path))
    ours = feature_schema.of_published(feature_schema.read(tmp_path / "schema.pbtxt"))
    by_name = {feature.name: feature for feature in ours.feature}
    assert [dim.size for dim in by_name["class_fraction"].shape.dim] == [settings.num_classes]
    for name in ("height", "width"):
        assert (by_name[name].int_domain.min, by_name[name].int_domain.max) == (128, 128)
    feature_schema.write(tmp_path / "schema.pbtxt", ours)
    feature_schema.check(settings)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"kind": "folder"}, r'describes flat floats, which only source\.kind = "tfrecord" reads, got "folder"'),
        ({"classes": ("pet", "background")}, r"has labels 0…2, but data\.classes has 2: pet, background"),
        ({"text": PUBLISHED.replace("max: 255", "max: 1")}, r"image must be in 0…255, got 0…1"),
    ],
)
def test_a_published_schema_that_disagrees_is_told(keys, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        feature_schema.check(_published(tmp_path, **keys))
