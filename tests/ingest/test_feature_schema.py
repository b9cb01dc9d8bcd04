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
