import gzip
import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from segpipe.config.evaluate import Evaluate
from segpipe.errors import DataError
from segpipe.evaluate import evaluation_report, places
from segpipe.evaluate.count_locally import evaluate
from segpipe.ingest import example_files
from segpipe.savedmodel.load import load_to_count
from tests.pipeline import segmenter


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return segmenter.save(tmp_path_factory.mktemp("models") / "7", lambda guess: guess)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder as `segpipe prepare` leaves it, and the test split's judged pixels."""
    folder = tmp_path_factory.mktemp("prepared")
    truth, guess = segmenter.pictures()
    segmenter.write_examples(folder / "test-00000-of-00002.tfrecord", truth[:33], guess[:33], compression="")
    segmenter.write_examples(folder / "test-00001-of-00002.tfrecord", truth[33:], guess[33:], compression="")
    segmenter.write_examples(folder / "train-00000-of-00001.tfrecord", truth[:1], guess[:1], compression="")
    judged = truth != 255
    return folder, truth[judged], guess[judged]


def test_counts_agree_with_scikit_learn_over_all_files(model, prepared):
    folder, truth, guess = prepared
    shards = places.find_split(str(folder), "test")
    evaluated = evaluate(load_to_count(model), shards, Evaluate())
    np.testing.assert_array_equal(evaluated.scores.confusion, confusion_matrix(truth, guess))
    assert len(evaluated.pictures) == 40
    assert evaluated.pictures.ids[0] == "picture-000"
    np.testing.assert_array_equal(
        evaluated.pictures.candidate.sum(axis=0)[1], confusion_matrix(truth, guess).sum(axis=1)
    )


def test_json_and_page_are_written(model, prepared, tmp_path):
    folder, truth, guess = prepared
    shards = places.find_split(str(folder), "test")
    evaluation_report.evaluate_into(tmp_path, model, str(folder), "test", shards, Evaluate(), 0.9)
    result = json.loads((tmp_path / "evaluation.json").read_text())
    iou = jaccard_score(truth, guess, average=None)
    assert result["metrics"]["mean_iou"] == pytest.approx(iou.mean())
    assert result["metrics"]["class_iou"] == pytest.approx(dict(zip(segmenter.CLASSES, iou, strict=True)))
    assert result["mean_iou_interval"]["low"] < iou.mean() < result["mean_iou_interval"]["high"]
    assert result["slices"]["site=north"]["pictures"] == 14
    page = (tmp_path / "index.html").read_text()
    assert "How good is it?" in page
    assert "Blessed" not in page
    assert "picture-0" in page


def test_a_gzip_file_that_is_cut_off_or_damaged_is_told_in_a_sentence(prepared, tmp_path):
    folder, *_ = prepared
    packed = gzip.compress((folder / "test-00000-of-00002.tfrecord").read_bytes())
    path = tmp_path / "test.tfrecord.gz"
    header = 10
    for damaged in (packed[: len(packed) // 2], packed[:header] + b"\xff" * 64 + packed[header + 64 :]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"test\.tfrecord\.gz is a damaged gzip file"):
            list(example_files.read(str(path)))


def test_examples_of_other_classes_are_refused(model, tmp_path):
    from segpipe.ingest import example
    from segpipe.io import tfrecord

    with (tmp_path / "test-0.tfrecord").open("wb") as stream:
        tfrecord.write(stream, example.encode({"id": b"x", "class_fraction": [0.5, 0.5]}))
    with pytest.raises(DataError, match="2 classes, the model 3: sea, land, lake"):
        evaluate(load_to_count(model), [str(tmp_path / "test-0.tfrecord")], Evaluate())


def test_data_that_names_its_classes_otherwise_is_refused(model, prepared, tmp_path):
    shards = places.find_split(str(prepared[0]), "test")
    with pytest.raises(DataError, match=r"t\.toml has the classes land, sea, lake, the model sea, land, lake"):
        evaluation_report.evaluate_into(
            tmp_path, model, "t.toml", "test", shards, Evaluate(), 0.9, ["land", "sea", "lake"]
        )


def test_a_split_is_found_in_what_prepare_and_example_gen_write(prepared, tmp_path):
    folder = prepared[0]
    assert [path.rsplit("/", 1)[1][:5] for path in places.find_split(str(folder), "train")] == ["train"]
    shutil.copytree(folder, tmp_path / "Split-eval")
    assert len(places.find_split(str(tmp_path), "eval")) == 3
    single = str(folder / "test-00000-of-00002.tfrecord")
    assert places.find_split(single, "test") == [single]
    with pytest.raises(DataError, match=r"no file eval-\*"):
        places.find_split(str(folder), "eval")


def test_files_squeezed_and_not_are_read_alike(tmp_path):
    truth, guess = segmenter.pictures(3)
    segmenter.write_examples(tmp_path / "a", truth, guess, compression="GZIP")
    segmenter.write_examples(tmp_path / "b", truth, guess, compression="")
    assert list(example_files.read(str(tmp_path / "a"))) == list(example_files.read(str(tmp_path / "b")))
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-3])
    with pytest.raises(DataError, match="cut off"):
        list(example_files.read(str(tmp_path / "b")))


def test_what_is_no_model_of_ours_is_named(tmp_path):
    with pytest.raises(DataError, match=r"has no assets\.extra/segpipe\.json"):
        load_to_count(str(tmp_path))
