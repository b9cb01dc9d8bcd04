import io

import numpy as np
import pytest
from PIL import Image

from segpipe.drill import clients
from segpipe.serve import request_log
from tests.serve import server_model


def encoded(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def of_50_mb() -> bytes:
    return encoded(np.random.default_rng(0).integers(0, 256, (4100, 4100, 3), np.uint8))


def of_51_megapixels() -> bytes:
    return encoded(np.zeros((5100, 10000, 3), np.uint8))


@pytest.mark.parametrize("large", [of_50_mb, of_51_megapixels])
def test_a_picture_larger_than_a_server_usually_takes_is_answered_and_kept(large, tmp_path):
    server_model.save(tmp_path / "serving", 1)
    pictures = [server_model.picture(server_model.RED), large(), server_model.picture(server_model.BLUE)]
    clients.ask(tmp_path / "serving", 1, pictures, tmp_path / "kept")
    answered = list(request_log.read(tmp_path / "kept"))
    assert [request_log.picture_path(tmp_path / "kept", one.id).read_bytes() for one in answered] == pictures


def test_large_pictures_share_a_request_with_fewer_others():
    sizes = [10, 20, 3, 40, 1, 1]
    batches = clients.batches([bytes(size) for size in sizes], most=3, most_bytes=32)
    assert [[len(picture) for picture in batch] for batch in batches] == [[10, 20], [3], [40], [1, 1]]


def test_a_request_holds_no_more_pictures_than_it_may():
    assert [len(batch) for batch in clients.batches([b"a"] * 5, most=2, most_bytes=32)] == [2, 2, 1]
