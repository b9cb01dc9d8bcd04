import io

import numpy as np
import pytest
from PIL import Image

from segpipe import schema
from segpipe.config import Config
from segpipe.drill import spans
from segpipe.ingest import example, sources


@pytest.fixture
def config(tmp_path) -> Config:
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for number in range(60):
        mask = np.where(np.arange(32) < rng.integers(8, 24), 7, 9).astype(np.uint8)[None].repeat(32, 0)
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{number}.png")
        pixels = np.stack([mask * 10, mask * 5, 200 - mask * 10], -1).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{number}.png")
    return Config(
        name="d",
        directory=tmp_path,
        source={"path": "data"},
        split={"train": 0.5, "eval": 0.25, "test": 0.25},
        data={"classes": ("a", "b"), "mask_values": (7, 9), "image_size": 32},
        drill={"corruptions": ("noise", "contrast"), "severity": 3},
    )


def ids(serialized: list[bytes]) -> set[str]:
    return {example.decode(one)[schema.ID][0].decode() for one in serialized}


def test_half_of_the_pictures_arrive_later_and_harder_with_their_masks_and_splits(config, tmp_path):
    found = spans.write(config, tmp_path / "spans")
    for split in schema.SPLITS:
        first, clean, harder = (found.examples(span, split) for span in (1, 0, 2))
        assert not ids(first) & ids(harder)
        for before, after in zip(map(example.decode, clean), map(example.decode, harder), strict=True):
            assert before[schema.ID] == after[schema.ID]
            assert before[schema.MASK] == after[schema.MASK]
            assert before[schema.IMAGE] != after[schema.IMAGE]
            assert before[schema.CONTRAST] != after[schema.CONTRAST]
    every = set.union(*(ids(found.examples(span, split)) for span in (1, 2) for split in schema.SPLITS))
    assert every == {str(number) for number in range(60)}
    mask = np.asarray(Image.open(io.BytesIO(example.decode(found.examples(1, "test")[0])[schema.MASK][0])))
    assert set(np.unique(mask)) == {0, 1}


def test_the_pipelines_own_source_reads_one_span_and_then_both(config, tmp_path):
    found = spans.write(config, tmp_path / "spans")

    def read(one: Config) -> dict[str, str]:
        return {record.id: record.split for part in sources.parts(one) for record in part.records()}

    first, both = read(found.first), read(found.both)
    assert len(both) == 60
    assert {name for name in both if name.startswith("1/")} == set(first)
    assert set(first.values()) == set(schema.SPLITS)
    before = (tmp_path / "spans").stat().st_mtime_ns
    spans.write(config, tmp_path / "spans")
    assert (tmp_path / "spans").stat().st_mtime_ns == before
