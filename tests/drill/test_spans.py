import io

import numpy as np
import pytest
from PIL import Image

from segpipe import schema
from segpipe.config import Config
from segpipe.config.drill import Drill
from segpipe.drill import spans
from segpipe.errors import DataError
from segpipe.ingest import example, sources
from segpipe.ingest.encode import encode
from segpipe.ingest.record import Record


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


def test_the_spans_are_read_with_the_sources_own_limit_of_a_pictures_size(config, tmp_path):
    large = config.source.model_copy(update={"max_megapixels": 150.0})
    found = spans.write(config.model_copy(update={"source": large}), tmp_path / "spans")
    assert [one.source.max_megapixels for one in (found.first, found.both)] == [150, 150]


def unseen_of(config: Config, **drill: object) -> Config:
    return config.model_copy(update={"drill": Drill(unseen="^[1-3].$", first_share=0.6, **drill)})


def test_pictures_of_an_unseen_kind_come_in_span_2_alone_and_as_they_are(config, tmp_path):
    found = spans.write(unseen_of(config, corruptions=()), tmp_path / "spans")
    unseen = {str(number) for number in range(10, 40)}
    first, clean, later = (
        set.union(*(ids(found.examples(span, split)) for split in schema.SPLITS)) for span in (1, 0, 2)
    )
    assert later == unseen
    assert first | clean == {str(number) for number in range(60)} - unseen
    assert first
    assert clean
    assert not first & clean
    parsed = example.decode(found.examples(2, "train")[0])
    original = (tmp_path / "data" / "images" / f"{parsed[schema.ID][0].decode()}.png").read_bytes()
    assert parsed[schema.IMAGE] == [original]


def test_an_unseen_kind_can_come_corrupted_too(config, tmp_path):
    found = spans.write(unseen_of(config, corruptions=("noise",)), tmp_path / "spans")
    later = set.union(*(ids(found.examples(2, split)) for split in schema.SPLITS))
    clean = set.union(*(ids(found.examples(0, split)) for split in schema.SPLITS))
    assert later == clean | {str(number) for number in range(10, 40)}


def test_a_kind_that_matches_nothing_is_named(config, tmp_path):
    nothing = config.model_copy(update={"drill": Drill(corruptions=(), unseen="^sphynx")})
    with pytest.raises(DataError, match=r"span 2 has no picture that drill.unseen '\^sphynx' matches for train"):
        spans.write(nothing, tmp_path / "spans")


def test_an_attribute_tells_the_kind_as_well(config):
    serialized = encode(Record("a", *encoded_pair(), "train", slices=(("breed", "Sphynx"),)), config).example
    assert spans._is_unseen("a", serialized, "^breed=Sphynx$")
    assert not spans._is_unseen("a", serialized, "^breed=Bengal$")


def encoded_pair() -> tuple[bytes, np.ndarray]:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    return stream.getvalue(), np.full((8, 8), 7, np.uint8)


def test_another_source_or_change_is_written_anew(config, tmp_path):
    first = spans.write(config, tmp_path / "spans")
    (tmp_path / "data" / "images" / "0.png").write_bytes((tmp_path / "data" / "images" / "1.png").read_bytes())
    assert spans.write(config, tmp_path / "spans").folder != first.folder


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
