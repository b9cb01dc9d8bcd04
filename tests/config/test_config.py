import pytest

from segpipe import config
from segpipe.errors import ConfigError

MINIMAL = '[data]\nclasses = ["cat", "dog"]\n'


@pytest.fixture
def toml(tmp_path):
    def write(text=MINIMAL, name="farm.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_the_file_names_the_run_and_the_folder_names_a_pipeline_toml(toml, tmp_path):
    assert config.load(toml()).name == "farm"
    folder = tmp_path / "my-cats"
    folder.mkdir()
    (folder / "pipeline.toml").write_text(MINIMAL)
    assert config.load(folder / "pipeline.toml").name == "my-cats"


def test_a_format_that_the_network_cannot_have_is_refused_before_the_training(toml):
    exported = ["model.architecture=deeplabv3plus", "hub.exports=['litert']"]
    assert config.load(toml(), exported).hub.exports == ("litert",)
    with pytest.raises(ConfigError, match='leave "keras" out, "litert" works'):
        config.load(toml(), [exported[0], "hub.exports=['keras', 'litert']"])


@pytest.mark.parametrize("key", ["column", "group_column"])
def test_columns_that_a_folder_does_not_have_are_refused(toml, key):
    with pytest.raises(ConfigError, match=rf'split\.{key} is for source\.kind = csv, .*; "folder" has no columns'):
        config.load(toml(), [f"split.{key}=patient"])


def test_progressive_resizing_needs_a_network_and_a_side_that_can_be_smaller(toml):
    share = "train.progressive_resizing=0.5"
    assert config.load(toml(), [share]).train.progressive_resizing == 0.5
    with pytest.raises(ConfigError, match=r"train\.progressive_resizing: a segformer takes pictures of one size"):
        config.load(toml(), [share, "model.architecture=segformer"])
    with pytest.raises(ConfigError, match=r"no side is smaller than data\.image_size = 32; set it to 0"):
        config.load(toml(), [share, "data.image_size=32"])


def test_overrides_are_toml_values_or_plain_strings(toml):
    loaded = config.load(toml(), ["train.epochs=3", "data.classes=['a', 'b', 'c']", "model.weights=none"])
    assert (loaded.train.epochs, loaded.data.classes, loaded.model.weights) == (3, ("a", "b", "c"), "none")


def test_json_round_trip_is_equal(toml):
    loaded = config.load(toml(), ["gate.min_class_iou.cat=0.25"])
    assert config.from_json(config.to_json(loaded)) == loaded


def test_data_lies_at_the_toml_file_and_runs_where_the_command_is_typed(toml, tmp_path, monkeypatch):
    path = toml().absolute()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    loaded = config.load(path, ["output_dir=out"])
    assert loaded.resolve("data") == tmp_path / "data"
    assert loaded.output_path == elsewhere / "out"
    assert config.load(path).output_path == elsewhere / "runs" / loaded.name


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.epoch=3", "unknown key train.epoch; did you mean train.epochs?"),
        ("trian.epochs=3", "unknown key trian; did you mean train?"),
        ("data.image_size=100", "image_size must be a multiple of 32, got 100; try 96."),
        ("data.image_size=0", "image_size must be a multiple of 32, got 0; try 32."),
        ("gate.min_class_iou.cow=0.2", "names 'cow'; the classes are cat, dog"),
        ("train.epochs=0", "train.epochs: input should be greater than 0, got 0"),
        ("split.train=0.9", "train + eval + test must be 1, got 1.2"),
        ("data.mask_values=[1]", "2 classes, got 1 values"),
        ("data.mask_values=[1, 1]", "one mask value cannot mean two classes"),
        ("data.ignore_values=[1]", "a mask value is a class or ignored, not both; got [1]"),
        ("data.classes=['cat', 'cat']", "got cat more than once"),
        ("seed.deep=1", "seed is a value, not a section"),
        ("epochs", "--set wants KEY=VALUE"),
        ("directory='/'", "directory is not a key"),
        ("name='Big Cats'", "name"),
    ],
)
def test_a_wrong_value_is_one_clear_line(toml, override, sentence):
    text = MINIMAL if "." in override.split("=")[0] else "seed = 0\n" + MINIMAL
    text = "seed = 0\n" + MINIMAL if override.startswith("seed") else text
    with pytest.raises(ConfigError) as caught:
        config.load(toml(text), [override])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="segpipe init DIR --data PATH"):
        config.load(tmp_path / "none.toml")


def test_broken_toml_names_the_line(toml):
    with pytest.raises(ConfigError, match=r"not valid TOML.*line 1"):
        config.load(toml("[data\n"))


def test_missing_classes_are_named(toml):
    with pytest.raises(ConfigError, match=r"data.classes is missing"):
        config.load(toml("[data]\n"))
