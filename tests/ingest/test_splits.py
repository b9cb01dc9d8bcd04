"""A picture's split depends on nothing but its own name or group, and the seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpipe.config.source import Split
from segpipe.errors import DataError
from segpipe.ingest.record import Record
from segpipe.ingest.splits import assign, check_counts, fill


def _record(name: str, **more: str) -> Record:
    return Record(id=name, image="i", mask="m", **more)


def test_the_assignment_never_changes_between_versions():
    assert [assign(_record(f"p{i}"), Split()) for i in range(8)] == [
        "eval", "test", "train", "eval", "train", "train", "test", "train",
    ]  # fmt: skip


def test_the_shares_are_those_of_the_config():
    counts = Counter(assign(_record(str(i)), Split(train=0.5, eval=0.3, test=0.2)) for i in range(10_000))
    assert counts["train"] / 10_000 == pytest.approx(0.5, abs=0.02)
    assert counts["eval"] / 10_000 == pytest.approx(0.3, abs=0.02)


@given(st.text(min_size=1), st.integers(0, 5))
def test_no_group_is_on_two_sides(group, seed):
    splits = {assign(_record(f"{group}-{i}", group=group), Split(seed=seed)) for i in range(5)}
    assert len(splits) == 1


def test_another_seed_deals_anew():
    names = [_record(str(i)) for i in range(100)]
    assert [assign(r, Split(seed=0)) for r in names] != [assign(r, Split(seed=1)) for r in names]


def test_the_source_decides_where_it_can():
    assert assign(_record("a", split="test"), Split(train=1, eval=0, test=0)) == "test"


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        (Split(), r"split eval and test would get none of the 3 pictures; add pictures, raise split\.eval"),
        (Split(train=0.8, eval=0, test=0.2), r"split\.eval is 0; raise it"),
    ],
)
def test_an_empty_split_says_what_to_do(split, reason):
    with pytest.raises(DataError, match=reason):
        check_counts({"train": 3}, split)


@given(st.integers(3, 60), st.integers(0, 5))
def test_every_split_gets_a_picture_from_three_up(number, seed):
    records = [_record(f"p{i}") for i in range(number)]
    split = Split(seed=seed)
    dealt = [assign(record, split) for record in fill(records, split)]
    assert set(dealt) == {"train", "eval", "test"}
    by_hash = [assign(record, split) for record in records]
    if set(by_hash) == set(dealt):
        assert dealt == by_hash


def test_a_group_stays_together_in_a_small_set():
    records = [_record(f"p{i}", group=f"g{i // 2}") for i in range(6)]
    split_of = {record.id: record.split for record in fill(records, Split(seed=3))}
    assert all(split_of[f"p{i}"] == split_of[f"p{i + 1}"] for i in (0, 2, 4))
    assert set(split_of.values()) == {"train", "eval", "test"}


def test_two_pictures_or_a_split_of_the_data_stay_as_they_are():
    for records in ([_record("a"), _record("b")], [_record("a", split="train"), *map(_record, "bcd")]):
        assert fill(records, Split()) == records


def test_a_split_without_a_share_stays_empty():
    records = [_record(f"p{i}") for i in range(3)]
    split = Split(train=0.7, eval=0, test=0.3)
    assert {assign(record, split) for record in fill(records, split)} == {"train", "test"}


def test_fewer_pictures_than_splits_say_how_many_it_takes():
    with pytest.raises(DataError, match=r"none of the 2 pictures; add pictures, at least one for each split"):
        check_counts({"train": 2}, Split())
