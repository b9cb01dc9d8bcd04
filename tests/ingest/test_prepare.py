"""`prepare` writes every picture once, whole or not at all, and says what it left out."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from segpipe import progress
from segpipe.errors import DataError
from segpipe.ingest import example
from segpipe.ingest.prepare import MANIFEST, QUARANTINE, prepare
from segpipe.io import tfrecord
from tests.pictures import config, encoded, mask


def _ids(folder, split=""):
    found = []
    for path in sorted(folder.glob(f"{split}*.tfrecord")):
        with path.open("rb") as stream:
            found += [example.decode(record)["id"][0].decode() for record in tfrecord.read(stream, path.name)]
    return found


def test_every_picture_is_written_once_into_its_split(dataset, tmp_path):
    done = prepare(config(dataset(40)), tmp_path / "out", workers=1)
    assert sorted(_ids(tmp_path / "out")) == [f"p{i:02d}" for i in range(40)]
    assert {split: len(_ids(tmp_path / "out", split)) for split in done.counts} == done.counts
    assert sorted(path.name for path in (tmp_path / "out").glob("*.tfrecord")) == sorted(done.files)


def test_tensorflow_parses_the_data_contract(dataset, tmp_path):
    root = dataset(30)
    prepare(config(root), tmp_path / "out", workers=1)
    files = tf.io.gfile.glob(str(tmp_path / "out" / "*.tfrecord"))
    spec = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "mask": tf.io.FixedLenFeature([], tf.string),
        "id": tf.io.FixedLenFeature([], tf.string),
        "height": tf.io.FixedLenFeature([], tf.int64),
        "width": tf.io.FixedLenFeature([], tf.int64),
        "class_fraction": tf.io.FixedLenFeature([2], tf.float32),
        **{n: tf.io.FixedLenFeature([], tf.float32) for n in ("brightness", "contrast", "saturation", "sharpness")},
    }
    for serialized in tf.data.TFRecordDataset(files):
        parsed = tf.io.parse_single_example(serialized, spec)
        name = parsed["id"].numpy().decode()
        assert parsed["image"].numpy() == (root / "images" / f"{name}.jpg").read_bytes()
        assert parsed["mask"].numpy() == (root / "masks" / f"{name}.png").read_bytes()
        assert tf.io.decode_jpeg(parsed["image"]).shape == (parsed["height"], parsed["width"], 3)
        assert parsed["class_fraction"].numpy().tolist() == [0.5, 0.5]


def test_two_processes_write_the_same_files_as_one(dataset, tmp_path):
    root = dataset(70)
    prepare(config(root), tmp_path / "one", workers=1)
    prepare(config(root), tmp_path / "two", workers=2)
    for path in (tmp_path / "one").glob("*.tfrecord"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_second_call_reuses_and_a_new_picture_makes_it_anew(dataset, tmp_path):
    settings = config(dataset(30))
    assert not prepare(settings, tmp_path / "out", workers=1).reused
    before = set(_ids(tmp_path / "out", "train"))
    assert prepare(settings, tmp_path / "out", workers=1).reused
    dataset([f"new{i}" for i in range(20)])
    again = prepare(settings, tmp_path / "out", workers=1)
    assert not again.reused
    assert sum(again.counts.values()) == 50
    assert before == {name for name in _ids(tmp_path / "out", "train") if name.startswith("p")}


def test_another_class_value_makes_it_anew_and_another_model_does_not(dataset, tmp_path):
    root = dataset(30)
    prepare(config(root), tmp_path / "out", workers=1)
    assert prepare(config(root, model={"weights": "none"}), tmp_path / "out", workers=1).reused
    assert not prepare(config(root, data={"ignore_values": [9]}), tmp_path / "out", workers=1).reused


def test_bad_pictures_all_fail_together_with_five_named(dataset, tmp_path):
    root = dataset(30)
    for i in range(7):
        (root / "images" / f"p{i:02d}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"7 of 30 pictures cannot be used: .* is empty .* 2 more\. .*quarantine"):
        prepare(config(root), tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_shards_stay_as_they_are_where_new_ones_cannot_be_made(dataset, tmp_path):
    root = dataset(30)
    prepare(config(root), tmp_path / "out", workers=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (root / "images" / "p00.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        prepare(config(root), tmp_path / "out", workers=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_quarantined_pictures_are_listed_and_read_is_written_plus_quarantined(dataset, tmp_path):
    root = dataset(40)
    (root / "masks" / "p03.png").write_bytes(encoded(mask(values=(0, 9))))
    settings = config(root, source={"on_bad_example": "quarantine"})
    done = prepare(settings, tmp_path / "out", workers=1)
    listed = json.loads((tmp_path / "out" / QUARANTINE).read_text())
    assert listed == done.quarantined
    assert list(listed) == ["p03"]
    assert "p03.png holds value 9 in 50.0% of its pixels" in listed["p03"]
    assert sum(done.counts.values()) + len(listed) == 40


def test_a_link_to_a_picture_that_was_never_fetched_is_a_bad_picture_and_counts_once_it_is_there(dataset, tmp_path):
    root = dataset(30)
    fetched, link = root / "annex.jpg", root / "images" / "p03.jpg"
    link.rename(fetched.with_suffix(".later"))
    link.symlink_to(fetched)
    settings = config(root, source={"on_bad_example": "quarantine"})
    assert prepare(settings, tmp_path / "out", workers=1).quarantined == {"p03": f"{link} does not exist."}
    fetched.with_suffix(".later").rename(fetched)
    assert prepare(settings, tmp_path / "out", workers=1).quarantined == {}


def test_what_a_killed_call_left_is_replaced(dataset, tmp_path):
    settings = config(dataset(30))
    partial = tmp_path / "out" / ".partial"
    partial.mkdir(parents=True)
    (partial / "train-00000-of-00002.tfrecord").write_bytes(b"half")
    prepare(settings, tmp_path / "out", workers=1)
    assert not partial.exists()
    assert len(_ids(tmp_path / "out")) == 30


def test_a_folder_with_other_files_is_never_emptied(dataset, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.doc").write_text("x")
    with pytest.raises(DataError, match=r"holds other files \(.*thesis\.doc\)"):
        prepare(config(dataset(30)), out, workers=1)
    assert (out / "thesis.doc").exists()


@pytest.mark.parametrize("other", [MANIFEST, "train-00000-of-00001.tfrecord"])
def test_shards_of_another_data_set_in_a_folder_of_its_own_are_not_replaced(dataset, tmp_path, other):
    (tmp_path / "out" / "pets").mkdir(parents=True)
    (tmp_path / "out" / "pets" / other).write_text("x")
    with pytest.raises(DataError, match="holds other files"):
        prepare(config(dataset(30)), tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "pets" / other).read_text() == "x"


def _replaced(settings, out):
    """Shards of 20 pictures in `out`, then of the 40 of `settings`."""
    prepare(settings(20), out, workers=1)
    done = prepare(settings(40), out, workers=1)
    assert len(_ids(out)) == 40
    assert sorted(path.name for path in out.glob("*.tfrecord")) == sorted(done.files)
    assert not (out / ".partial").exists()


@pytest.fixture
def settings(dataset):
    """Config of a data set of as many pictures as asked for."""
    return lambda number: config(dataset(number))


def test_what_lies_hidden_in_the_folder_stays_there(settings, tmp_path):
    history = tmp_path / "out" / ".git" / "HEAD"
    history.parent.mkdir(parents=True)
    history.write_text("ref: refs/heads/main")
    _replaced(settings, tmp_path / "out")
    assert history.read_text() == "ref: refs/heads/main"


def test_a_link_to_a_folder_elsewhere_stays_a_link(settings, tmp_path):
    (tmp_path / "large disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "large disk")
    _replaced(settings, tmp_path / "out")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "large disk" / MANIFEST).exists()


def test_the_working_directory_can_be_the_folder(settings, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    _replaced(settings, Path())
    assert (tmp_path / "out" / MANIFEST).exists()


def test_a_call_that_fails_leaves_a_folder_as_empty_as_it_was(dataset, tmp_path):
    root = dataset(30)
    (root / "images" / "p00.jpg").write_bytes(b"")
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="is empty"):
        prepare(config(root), tmp_path / "out", workers=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_source_that_changes_while_it_is_read_is_noticed(dataset, tmp_path):
    root = dataset(60)

    def change(_):
        shutil.copy(root / "images" / "p01.jpg", root / "images" / "p00.jpg")

    with progress.listening(change), pytest.raises(DataError, match="changed while it was read"):
        prepare(config(root), tmp_path / "out", workers=1)
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_a_picture_that_vanishes_while_the_source_is_read_is_no_bad_picture(dataset, tmp_path):
    root = dataset(60)

    def remove(_):
        for kind, suffix in (("images", "jpg"), ("masks", "png")):
            (root / kind / f"p59.{suffix}").unlink(missing_ok=True)
            (root / kind / f"p00.{suffix}").unlink(missing_ok=True)

    with progress.listening(remove), pytest.raises(DataError, match="changed while it was read"):
        prepare(config(root), tmp_path / "out", workers=1)


def test_progress_ends_at_the_number_of_pictures(dataset, tmp_path):
    steps = []
    with progress.listening(steps.append):
        prepare(config(dataset(40)), tmp_path / "out", workers=1)
    assert (steps[-1].done, steps[-1].total) == (40, 40)


def test_an_empty_split_is_told_before_any_picture_is_read(dataset, tmp_path):
    with pytest.raises(DataError, match="would get none of the 2 pictures"):
        prepare(config(dataset(2)), tmp_path / "out", workers=1)
