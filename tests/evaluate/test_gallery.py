import numpy as np
import tensorflow as tf

from segpipe.evaluate.gallery import choose
from segpipe.evaluate.picture_table import PictureTable
from segpipe.ingest import example
from segpipe.metrics.confusion import margins
from segpipe.savedmodel.load import LoadedModel, Signature
from tests.train.conftest import png

CLASSES = 11


def test_of_many_classes_the_weakest_are_shown_and_those_that_do_not_occur_are_not(tmp_path):
    # Class 1 does not occur. Of every other class c, c of its 20 pixels are claimed by class 0.
    matrix = np.diag([20, 0, *(20 - c for c in range(2, CLASSES))])
    matrix[2:, 0] = np.arange(2, CLASSES)
    path = tmp_path / "test.gz"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        pixels = np.zeros((32, 32), np.uint8)
        features = {"id": b"one", "image": png(np.dstack([pixels] * 3)), "mask": png(pixels)}
        writer.write(example.encode({name: [value] for name, value in features.items()}))
    card = {"classes": [f"class {c}" for c in range(CLASSES)], "image_size": 32}
    signature = Signature("", "image_bytes", {}, lambda image_bytes: {"mask": tf.zeros((1, 32, 32))})
    model = LoadedModel(0, "", {"serving_default": signature}, card)
    shown = choose(model, [str(path)], PictureTable(["one"], ["digest"], [{}], margins([matrix])))
    assert list(shown.by_class) == [f"class {c}" for c in (0, *range(4, CLASSES))]
