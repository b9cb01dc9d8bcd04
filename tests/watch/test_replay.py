import numpy as np
import pytest

from segpipe.errors import UserError
from segpipe.savedmodel.load import load
from segpipe.serve.request_log import Keeper, Retention
from segpipe.watch import replay
from tests.serve import server_model
from tests.serve.server_model import BLUE, GREEN, RED, halves, picture


def test_the_page_shows_the_picture_that_changes_most_first(tmp_path):
    champion = load(server_model.save(tmp_path, 1), 1)
    candidate = load(server_model.save(tmp_path, 2, channel_order=(1, 0, 2)), 2)  # swaps red and green
    requests = [picture(BLUE), halves(BLUE, RED), picture(GREEN)]
    with Keeper(tmp_path / "kept", share=1, pictures=True, retention=Retention()) as keeper:
        for data in requests:
            keeper.offer(champion, [data], champion.signature().run([data]))
    replayed = replay.replay(tmp_path / "kept", candidate, num_classes=3, shown=2)
    assert [one.share for one in replayed.most] == [1.0, 0.5]
    assert replayed.mean_share == pytest.approx(0.5)
    side = server_model.SIZE**2
    np.testing.assert_array_equal(replayed.changes, [[0, side // 2, 0], [side, 0, 0], [0, 0, side * 3 // 2]])
    page = tmp_path / "replay.html"
    replay.write_page(replayed, tmp_path / "kept", candidate, candidate.classes, candidate.colors, page)
    text = page.read_text()
    assert text.index("100.0 % changed") < text.index("50.0 % changed")
    assert text.count("<img") == 6
    assert "<td>green</td><td>red</td>" in text


def test_requests_without_pictures_cannot_be_replayed(tmp_path):
    candidate = load(server_model.save(tmp_path, 1), 1)
    with pytest.raises(UserError, match="--keep-pictures"):
        replay.replay(tmp_path / "kept", candidate, num_classes=3)
