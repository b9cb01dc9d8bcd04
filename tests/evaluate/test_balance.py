import pytest

from segpipe.evaluate.balance import class_balance
from segpipe.ingest import example
from segpipe.io import tfrecord


def test_the_mean_share_over_the_first_pictures_of_all_files(tmp_path):
    for number, shares in enumerate([[(1.0, 0.0), (0.5, 0.5)], [(0.0, 1.0)]]):
        with (tmp_path / f"{number}").open("wb") as stream:
            for share in shares:
                tfrecord.write(stream, example.encode({"class_fraction": share}))
    shards = [str(tmp_path / "0"), str(tmp_path / "1")]
    assert class_balance(shards) == pytest.approx([0.5, 0.5])
    assert class_balance(shards, max_pictures=2) == pytest.approx([0.75, 0.25])
    assert class_balance([]) == []
