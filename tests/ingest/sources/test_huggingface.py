"""A data set of the Hub is read where it is, by huggingface_hub's own client, from a Hub on loopback."""

import fsspec
import pytest
from huggingface_hub import HfFileSystem

from segpipe.errors import DataError
from segpipe.ingest import sources
from segpipe.ingest.prepare import prepare
from tests.ingest.sources import layouts
from tests.ingest.sources.test_identical import read
from tests.servers.hub_datasets import CONVERTED, MAIN, LoopbackDatasets

PETS = "somebody/pets"


@pytest.fixture
def hub(monkeypatch):
    """A Hub that hf:// leads to."""
    with LoopbackDatasets() as running:
        monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": running.endpoint, "token": False})
        HfFileSystem.clear_instance_cache()
        yield running
    HfFileSystem.clear_instance_cache()


@pytest.fixture
def config(tmp_path):
    local = layouts.huggingface(tmp_path / "in")
    source = local.source.model_copy(update={"path": "", "dataset": PETS})
    return local.model_copy(update={"source": source})


def _push(hub, folder, branch=MAIN, rename=lambda name: name) -> None:
    """Puts a local copy of a data set on the Hub."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    hub.files[PETS, branch] = {rename(str(path.relative_to(folder))): path.read_bytes() for path in files}


def test_a_data_set_of_the_hub_gives_what_its_copy_gives(hub, config, tmp_path):
    _push(hub, tmp_path / "in")
    prepare(config, tmp_path / "there", workers=1)
    prepare(layouts.huggingface(tmp_path / "copy"), tmp_path / "here", workers=1)
    assert read(tmp_path / "there") == read(tmp_path / "here")
    assert len(read(tmp_path / "there")) == layouts.NUMBER


def test_where_there_is_no_parquet_the_converted_branch_is_read(hub, config, tmp_path):
    hub.files[PETS, MAIN] = {"README.md": b"pictures as files"}
    _push(hub, tmp_path / "in", CONVERTED, lambda name: f"default/{name.split('/')[1].split('-')[0]}/0000.parquet")
    without_ids = config.model_copy(update={"source": config.source.model_copy(update={"id_column": ""})})
    done = prepare(without_ids, tmp_path / "out", workers=1)
    assert done.counts == {"train": 20, "eval": 5, "test": 5}
    assert {record.id for part in sources.parts(without_ids) for record in part.records()} >= {
        "default/train/0000-000000", "default/test/0000-000000",
    }  # fmt: skip


def test_a_data_set_that_is_not_there_or_private_is_told(hub, config):
    with pytest.raises(DataError, match=r"hf://datasets/somebody/pets has no Parquet files, or cannot be reached"):
        sources.parts(config)


def test_a_file_that_was_pushed_anew_changes_the_digest(hub, config, tmp_path):
    _push(hub, tmp_path / "in")
    before = sources.digest(config)
    assert sources.digest(config) == before
    hub.files[PETS, MAIN]["data/test-00000-of-00001.parquet"] += b"more"
    assert sources.digest(config) != before
