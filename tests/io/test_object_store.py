"""Sources and shards on gs://, against a real emulator of Google Cloud Storage on loopback."""

import gc
import json
import uuid
from pathlib import Path

import fsspec
import pytest
from gcsfs.core import GCSFileSystem
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts

from segpipe import config as config_module
from segpipe.errors import DataError
from segpipe.ingest import source_digest, sources
from segpipe.ingest.prepare import MANIFEST, prepare
from segpipe.io import files
from segpipe.pipeline.components.example_gen import BAD_EXAMPLES, Executor
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from tests import pictures
from tests.ingest.sources import layouts
from tests.io.test_files import write_half
from tests.servers.gcs import LoopbackStorage
from tests.servers.google_ca import issue


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    with LoopbackStorage(issue(tmp_path_factory.mktemp("ca"))) as running:
        yield running


@pytest.fixture
def bucket(storage, monkeypatch):
    """An empty bucket of this test's own, which gcsfs finds; with no local folder for temporary files."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{storage.plain_port}")
    monkeypatch.setenv("TMPDIR", "/nonexistent")
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    # gcsfs's default class also asks another Google host, over gRPC, which kind of bucket this is.
    fsspec.register_implementation("gs", GCSFileSystem, clobber=True)
    GCSFileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    storage.make_bucket(name)
    return name


def _upload(storage: LoopbackStorage, bucket: str, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            storage.put(bucket, str(path.relative_to(folder)), path.read_bytes())


def _there(config, path: str):
    return config.model_copy(update={"source": config.source.model_copy(update={"path": path})})


def _failing(config):
    return config.model_copy(update={"source": config.source.model_copy(update={"on_bad_example": "fail"})})


def _shards(folder: str) -> dict[str, bytes]:
    return {
        entry.path.rsplit("/", 1)[-1]: files.read(entry.path)
        for entry in files.listing(folder)
        if entry.path.endswith(".tfrecord")
    }


@pytest.mark.parametrize(
    ("layout", "path"),
    [
        ("folder", ""),
        ("csv", "/index.csv"),
        ("parquet_of_bytes", "/a.parquet"),
        ("tfrecord", "/shards"),
        ("voc", ""),
        ("coco", "/annotations/*.json"),
        ("huggingface", ""),
    ],
)
def test_every_source_gives_on_gs_what_it_gives_on_disk(layout, path, bucket, storage, tmp_path):
    local = layouts.ALL[layout](tmp_path / "in")
    _upload(storage, bucket, tmp_path / "in")
    here = prepare(local, tmp_path / "out", workers=1)
    there = prepare(_there(local, f"gs://{bucket}{path}"), f"gs://{bucket}/out", workers=1)
    assert here.counts == there.counts
    assert sum(there.counts.values()) == layouts.NUMBER
    if layout != "parquet_of_bytes":
        assert _shards(str(tmp_path / "out")) == _shards(f"gs://{bucket}/out")


def test_a_finished_folder_is_reused_and_a_killed_one_replaced(bucket, storage, tmp_path):
    layouts.folder(tmp_path / "in")
    _upload(storage, bucket, tmp_path / "in")
    config = _there(layouts._config(), f"gs://{bucket}")
    storage.put(bucket, "out/train-00000-of-00077.tfrecord", b"of a killed call")
    storage.put(bucket, "out/.partial/train-00000-of-00077.tfrecord", b"of a killed call")
    assert not prepare(config, f"gs://{bucket}/out", workers=1).reused
    assert not [name for name in storage.names(bucket) if ".partial" in name]
    assert "train-00000-of-00077.tfrecord" not in _shards(f"gs://{bucket}/out")
    assert prepare(config, f"gs://{bucket}/out", workers=1).reused
    assert json.loads(files.read(f"gs://{bucket}/out/{MANIFEST}"))["counts"]


def test_earlier_shards_stay_where_there_are_no_new_ones(bucket, storage, tmp_path):
    layouts.folder(tmp_path / "in")
    _upload(storage, bucket, tmp_path / "in")
    config = _there(layouts._config(), f"gs://{bucket}")
    out = f"gs://{bucket}/out[1]"  # No glob.
    prepare(config, out, workers=1)
    earlier = _shards(out)
    storage.put(bucket, "images/p00.jpg", b"no picture")
    with pytest.raises(DataError, match=r"p00\.jpg"):
        prepare(_failing(config), out, workers=1)
    assert _shards(out) == earlier
    assert not [name for name in storage.names(bucket) if ".partial" in name]


@pytest.mark.parametrize(
    ("layout", "path"), [("folder", ""), ("csv", "/index.csv"), ("parquet_of_paths", "/index.parquet")]
)
def test_an_object_written_anew_changes_the_digest(layout, path, bucket, storage, tmp_path):
    local = layouts.ALL[layout](tmp_path / "in")
    _upload(storage, bucket, tmp_path / "in")
    config = _there(local, f"gs://{bucket}{path}")
    before = source_digest.source_digest(config)
    assert source_digest.source_digest(config) == before
    storage.put(bucket, "images/p00.jpg", layouts.image_bytes("p01"))
    assert source_digest.source_digest(config) != before


def test_spans_on_gs(bucket, storage, tmp_path):
    for span in (1, 2, 3):
        pictures.write_folder(tmp_path / f"span-{span}", 20)
    _upload(storage, bucket, tmp_path)
    config = pictures.config(f"gs://{bucket}/span-{{SPAN}}", source={"spans": 2})
    ids = {record.id for part in sources.parts(config) for record in part.records()}
    assert {name.split("/")[0] for name in ids} == {"2", "3"}


@pytest.mark.parametrize("megabytes", [0.1, 12])
def test_a_write_that_breaks_off_leaves_what_was_there(bucket, storage, megabytes):
    url = f"gs://{bucket}/coco.json"
    write_half(url, b"x" * int(megabytes * 1e6))
    assert storage.names(bucket) == []
    with files.open_to_write(url) as stream:
        stream.write(b"whole")
    write_half(url, b"x" * int(megabytes * 1e6))
    gc.collect()
    assert storage.get(bucket, "coco.json") == b"whole"


def test_a_bucket_folder_that_is_empty_is_told(bucket):
    with pytest.raises(DataError, match=rf"gs://{bucket}/pets has no folder"):
        prepare(pictures.config(f"gs://{bucket}/pets"), f"gs://{bucket}/out", workers=1)


def test_example_gen_reads_and_writes_gs(bucket, storage, tmp_path):
    layouts.folder(tmp_path / "in")
    _upload(storage, bucket, tmp_path / "in")
    config = _there(layouts._config(), f"gs://{bucket}")
    artifact = standard_artifacts.Examples()
    artifact.uri = f"gs://{bucket}/run/examples/1"
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS_BEAM))
    arguments = {"config": config_module.to_json(config), "source_digest": source_digest.source_digest(config)}
    Executor(context).Do({}, {"examples": [artifact]}, arguments)
    written = storage.names(bucket)
    for split in ("train", "eval", "test"):
        assert any(name.startswith(f"run/examples/1/Split-{split}/data_tfrecord-") for name in written)
    assert storage.get(bucket, f"run/examples/1/{BAD_EXAMPLES}") == b"{}"
