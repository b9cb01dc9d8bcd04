import io
import json
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from segpipe.ingest import statistics
from segpipe.serve import request_log
from segpipe.serve.request_log import Keeper, Retention
from tests.serve.server_model import BLUE, RED, halves, picture


class Model:
    version = 3

    def embed(self, pictures: list[bytes]) -> list[np.ndarray]:
        return [np.array([len(one), 1 / 3], np.float32) for one in pictures]


PREDICTION = {
    "mask": np.full((4, 4), 2, np.uint8),
    "class_fraction": np.array([0.25, 0, 0.75], np.float32),
    "confidence": np.float32(0.5),
}


def keep(folder: Path, requests: list[bytes], share: float = 1.0, pictures: bool = False, **retention: float) -> None:
    with Keeper(folder, share=share, pictures=pictures, retention=Retention(**retention), seed=0) as keeper:
        for data in requests:
            keeper.offer(Model(), [data], [PREDICTION])
            keeper.flush()


def test_a_kept_request_has_the_statistics_that_ingest_computes(tmp_path):
    data = halves(RED, BLUE)
    keep(tmp_path, [data])
    [one] = request_log.read(tmp_path)
    with Image.open(io.BytesIO(data)) as image:
        assert one.statistics == {**statistics.of(image), "height": 32, "width": 64}
    assert (one.version, list(one.class_fraction), one.confidence) == (3, [0.25, 0, 0.75], 0.5)
    assert list(one.embedding) == [len(data), 0.33333]
    assert not one.has_picture
    assert not (tmp_path / "pictures").exists()


def test_pictures_are_kept_byte_for_byte_with_the_predicted_mask_only_when_asked(tmp_path):
    data = picture(RED, kind="JPEG")
    keep(tmp_path, [data], pictures=True)
    [one] = request_log.read(tmp_path)
    assert request_log.picture_path(tmp_path, one.id).read_bytes() == data
    np.testing.assert_array_equal(np.asarray(Image.open(request_log.mask_path(tmp_path, one.id))), PREDICTION["mask"])


def test_the_sample_has_about_the_share_that_was_asked(tmp_path):
    keep(tmp_path, [picture(RED, (4, 4))] * 400, share=0.25)
    assert 70 <= len(list(request_log.read(tmp_path))) <= 130  # 100 ± 3.5 standard deviations


def test_a_torn_last_line_is_skipped(tmp_path):
    keep(tmp_path, [picture(RED)] * 2)
    [day] = tmp_path.glob("*.jsonl")
    day.write_text(day.read_text()[:-20])
    assert len(list(request_log.read(tmp_path))) == 1


def test_old_days_and_the_oldest_pictures_beyond_the_size_are_deleted(tmp_path):
    keep(tmp_path, [picture(RED)] * 3, pictures=True)
    [day] = tmp_path.glob("*.jsonl")
    old = day.with_name("2000-01-01.jsonl")
    old.write_text(json.dumps({}) + "\n")
    os.utime(old, (0, 0))
    ids = [one.id for one in request_log.read(tmp_path)]
    for age, kept_id in enumerate(reversed(ids)):
        for path in (request_log.picture_path(tmp_path, kept_id), request_log.mask_path(tmp_path, kept_id)):
            os.utime(path, (time.time() - 100 * age, time.time() - 100 * age))
    lines = sum(path.stat().st_size for path in tmp_path.glob("2*.jsonl") if path != old)
    one_picture = sum(p(tmp_path, ids[-1]).stat().st_size for p in (request_log.picture_path, request_log.mask_path))
    request_log.sweep(tmp_path, Retention(max_mb=(lines + one_picture + 5) / 1e6 + 5e-6, max_days=30))
    assert not old.exists()
    assert [path.stem for path in (tmp_path / "pictures").glob("*.bin")] == [ids[-1]]


def test_whole_days_go_when_the_lines_alone_are_too_many_but_the_newest_stays(tmp_path):
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        (tmp_path / f"{day}.jsonl").write_text("x" * 1000)
    request_log.sweep(tmp_path, Retention(max_mb=2100e-6))
    assert [day.stem for day in sorted(tmp_path.glob("*.jsonl"))] == ["2026-01-02", "2026-01-03"]
    request_log.sweep(tmp_path, Retention(max_mb=10e-6))
    assert [day.stem for day in tmp_path.glob("*.jsonl")] == ["2026-01-03"]


def test_a_picture_that_cannot_be_kept_does_not_end_the_keeping(tmp_path):
    keep(tmp_path, [b"no picture", picture(RED)])
    assert len(list(request_log.read(tmp_path))) == 1


def test_since_leaves_older_requests_out(tmp_path):
    keep(tmp_path, [picture(RED)])
    assert list(request_log.read(tmp_path, since_s=time.time() + 1)) == []


def test_a_share_of_0_keeps_nothing(tmp_path):
    keep(tmp_path, [picture(RED)] * 3, share=0.0)
    assert list(request_log.read(tmp_path)) == []
