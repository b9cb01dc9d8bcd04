import numpy as np
import pytest
from PIL import Image

from segpipe.errors import DataError
from segpipe.savedmodel.load import load
from segpipe.serve import request_log
from segpipe.serve.request_log import Keeper, Retention
from segpipe.watch import labels
from tests import pictures
from tests.serve import server_model
from tests.serve.server_model import BLUE, picture

SIDE = server_model.SIZE


@pytest.fixture
def request_kept(tmp_path):
    """One blue request that the model answered, the only one in tmp_path / "kept"."""
    model = load(server_model.save(tmp_path, 1), 1)
    with Keeper(tmp_path / "kept", share=1, pictures=True, retention=Retention()) as keeper:
        keeper.offer(model, [picture(BLUE)], model.signature().run([picture(BLUE)]))
    [one] = request_log.read(tmp_path / "kept")
    return one


def margins(tmp_path, one, label: bytes):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / f"{one.id}.png").write_bytes(label)
    config = pictures.config(tmp_path, data={"classes": server_model.CLASSES})
    return labels.margins([one], tmp_path / "kept", tmp_path / "labels", config)


def test_a_label_is_counted_against_what_the_model_said(request_kept, tmp_path):
    drawn = np.full((40, 48), 2, np.uint8)
    drawn[:20] = 1
    counted = margins(tmp_path, request_kept, pictures.encoded(Image.fromarray(drawn)))
    half = SIDE * SIDE // 2
    np.testing.assert_array_equal(counted, [[[0, 0, half], [0, half, half], [0, 0, 2 * half]]])


@pytest.mark.parametrize("damaged", [b"", b"no picture", pictures.encoded(pictures.mask(size=(48, 40)))[:-30]])
def test_a_label_that_is_half_copied_or_no_picture_is_named_in_a_sentence(request_kept, tmp_path, damaged):
    with pytest.raises(DataError, match=rf"labels/{request_kept.id}\.png (is empty|cannot be read as a picture)"):
        margins(tmp_path, request_kept, damaged)
