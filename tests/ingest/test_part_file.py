"""Parts that lie in a file."""

import pickle

from segpipe.ingest.part_file import store
from segpipe.ingest.record import Listed, Record

PARTS = [
    Listed((Record("a", "images/a.jpg", "masks/a.png", "train"), Record("b", "images/b.jpg", b"mask"))),
    Listed(()),
    Listed((Record("ünï", "gs://bucket/ü.jpg", "masks/ü.png", slices=(("breed", "Birman"),), ignored=(255,)),)),
]


def test_every_part_comes_out_of_the_file_as_it_went_in(tmp_path):
    stored = store(PARTS, str(tmp_path / "new" / "parts"))
    assert [part.size for part in stored] == [2, 0, 1]
    assert [list(part.records()) for part in stored] == [list(part.records()) for part in PARTS]


def test_a_stored_part_is_small_however_many_pictures_it_holds(tmp_path):
    many = Listed(tuple(Record(f"{i}", f"images/{i}.jpg", f"masks/{i}.png") for i in range(5000)))
    [stored] = store([many], str(tmp_path / "parts"))
    assert len(pickle.dumps(stored)) < 1000
    assert len(list(stored.records())) == 5000
