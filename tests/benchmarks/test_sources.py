"""The benchmark of the sources: every layout holds the pictures, and the limit copies them all."""

import pytest

from benchmarks import layouts, sources
from benchmarks.pictures import write_pairs
from segpipe.ingest.prepare import prepare

NUMBER = 60


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_pairs(tmp_path_factory.mktemp("pairs"), NUMBER, 128)


@pytest.mark.parametrize("kind", layouts.ALL)
def test_a_layout_holds_every_picture(kind, pairs, tmp_path):
    done = prepare(layouts.ALL[kind](pairs, tmp_path / "in"), tmp_path / "out", workers=1)
    assert sum(done.counts.values()) == NUMBER


@pytest.mark.parametrize("what", [sources.FILES, sources.PACKED, sources.FLOATS])
def test_the_limit_writes_every_picture(what, pairs, tmp_path):
    assert sources.run_step("limit", what, pairs, tmp_path)["seconds"] > 0
    written = sum(path.stat().st_size for path in (tmp_path / f"limit-{what}").iterdir() if path.is_file())
    encoded = sum(path.stat().st_size for path in pairs.rglob("*.*"))
    assert written == encoded if what != sources.FLOATS else written > encoded  # JPEG becomes PNG.
