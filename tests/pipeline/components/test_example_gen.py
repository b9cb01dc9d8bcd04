"""ExampleGen writes what `prepare` writes, blocks what it blocks, and compiles for Vertex."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts

from segpipe import config as config_module
from segpipe.errors import DataError
from segpipe.ingest import example, listing, sources
from segpipe.ingest.example_account import ACCOUNT, BAD_EXAMPLES
from segpipe.ingest.prepare import prepare
from segpipe.ingest.source_digest import source_digest
from segpipe.pipeline.components import example_gen
from segpipe.pipeline.components.example_gen import Executor, picture_example_gen
from segpipe.pipeline.targets import IN_PROCESS_BEAM
from tests import pictures
from tests.ingest.sources import layouts


@pytest.fixture
def root(tmp_path):
    return pictures.write_folder(tmp_path / "data", 40)


def _run(settings, folder: Path, digest: str = ""):
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    folder.mkdir()
    arguments = {"config": config_module.to_json(settings), "source_digest": digest or source_digest(settings)}
    context = base_beam_executor.BaseBeamExecutor.Context(beam_pipeline_args=list(IN_PROCESS_BEAM))
    Executor(context).Do({}, {"examples": [artifact]}, arguments)
    return artifact


def _examples(files, compression="") -> dict[str, bytes]:
    found = {}
    for serialized in tf.data.TFRecordDataset([str(path) for path in files], compression_type=compression):
        found[example.decode(serialized.numpy())["id"][0].decode()] = serialized.numpy()
    return found


def test_the_examples_are_those_of_prepare_split_by_split(root, tmp_path):
    settings = pictures.config(root)
    artifact = _run(settings, tmp_path / "examples")
    prepare(settings, tmp_path / "prepared", workers=1)
    assert artifact_utils.decode_split_names(artifact.split_names) == ["train", "eval", "test"]
    left = {path.name for path in (tmp_path / "examples").iterdir()}
    assert left == {ACCOUNT, BAD_EXAMPLES, "Split-train", "Split-eval", "Split-test"}
    for split in ("train", "eval", "test"):
        files = sorted((tmp_path / "examples" / f"Split-{split}").iterdir())
        assert all(path.suffix == ".gz" for path in files)
        assert _examples(files, "GZIP") == _examples(sorted((tmp_path / "prepared").glob(f"{split}-*")))


def test_a_large_source_is_written_by_processes_to_the_same_examples(tmp_path):
    settings = pictures.config(pictures.write_folder(tmp_path / "data", 16 * 32))
    spoilt = next((tmp_path / "data" / "images").iterdir())
    spoilt.write_bytes(b"")
    settings = settings.model_copy(
        update={"source": settings.source.model_copy(update={"on_bad_example": "quarantine"})}
    )
    _run(settings, tmp_path / "examples")
    prepared = prepare(settings, tmp_path / "prepared", workers=1)
    for split in ("train", "eval", "test"):
        files = sorted((tmp_path / "examples" / f"Split-{split}").iterdir())
        assert files[0].name.endswith("-of-00016.gz")
        assert _examples(files, "GZIP") == _examples(sorted((tmp_path / "prepared").glob(f"{split}-*")))
    assert json.loads((tmp_path / "examples" / BAD_EXAMPLES).read_text()) == prepared.quarantined
    assert list(prepared.quarantined) == [spoilt.stem]
    assert example_gen._pool is None


@pytest.mark.parametrize("layout", [name for name in layouts.ALL if name != "published"])
def test_every_source_gives_the_examples_of_prepare(layout, tmp_path):
    settings = layouts.ALL[layout](tmp_path / "in")
    _run(settings, tmp_path / "examples")
    prepare(settings, tmp_path / "prepared", workers=1)
    for split in ("train", "eval", "test"):
        files = sorted((tmp_path / "examples" / f"Split-{split}").iterdir())
        assert _examples(files, "GZIP") == _examples(sorted((tmp_path / "prepared").glob(f"{split}-*")))


def test_a_source_that_changes_while_it_is_read_is_told_before_what_is_missing(root, tmp_path):
    settings = pictures.config(root)
    digest = source_digest(settings)
    (root / "images" / "p03.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="the source changed while it was read"):
        _run(settings, tmp_path / "examples", digest)


def test_quarantined_pictures_are_listed_beside_the_examples(root, tmp_path):
    (root / "images" / "p03.jpg").write_bytes(b"")
    _run(pictures.config(root, source={"on_bad_example": "quarantine"}), tmp_path / "examples")
    bad = json.loads((tmp_path / "examples" / BAD_EXAMPLES).read_text())
    account = json.loads((tmp_path / "examples" / ACCOUNT).read_text())
    assert list(bad) == ["p03"]
    assert sum(account["counts"].values()) == 39


def test_bad_pictures_fail_the_component_with_a_sentence(root, tmp_path):
    (root / "images" / "p03.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of 40 pictures cannot be used: .*p03\.jpg is empty"):
        _run(pictures.config(root), tmp_path / "examples")


def test_the_arguments_change_with_the_data_and_with_nothing_else(root):
    def arguments(**sections):
        return picture_example_gen(pictures.config(root, **sections)).exec_properties

    first = arguments()
    assert arguments(model={"weights": "none"}, gate={"min_mean_iou": 0.1}) == first
    assert arguments(split={"seed": 1}) != first
    (root / "images" / "p00.jpg").write_bytes((root / "images" / "p01.jpg").read_bytes())
    assert arguments() != first


def test_a_missing_source_is_told_when_the_graph_is_built():
    with pytest.raises(DataError, match="there is no folder /nowhere"):
        picture_example_gen(pictures.config("/nowhere"))


def test_it_compiles_for_vertex(root, tmp_path):
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
    from tfx.orchestration.pipeline import Pipeline

    component = picture_example_gen(pictures.config(root)).with_beam_pipeline_args(["--runner=DataflowRunner"])
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image"),
        output_dir=str(tmp_path),
        output_filename="job.json",
    )
    runner.run(Pipeline("p", "gs://bucket/root", components=[component]), write_out=True)
    job = (tmp_path / "job.json").read_text()
    assert "segpipe.pipeline.components.example_gen.Executor" in job
    assert "--runner=DataflowRunner" in job


@pytest.mark.parametrize("layout", ["folder", "csv", "coco", "voc"])
def test_a_run_lists_its_source_once_and_digests_it_before_and_after(layout, tmp_path, monkeypatch):
    settings = getattr(layouts, layout)(tmp_path / "in")
    module = sources._module(settings)
    calls = []
    for name in ("parts", "entries"):
        original = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda config, name=name, original=original: calls.append(name) or original(config)
        )
    listing.take(settings)
    component = picture_example_gen(settings)
    _run(settings, tmp_path / "examples", component.exec_properties["source_digest"])
    assert sorted(calls) == ["entries", "entries", "parts"]


def test_a_listing_is_not_handed_on_to_other_data_or_twice(root, tmp_path):
    settings = pictures.config(root)
    listing.take(settings)
    before = picture_example_gen(settings).exec_properties["source_digest"]
    (root / "masks" / "p00.png").write_bytes(pictures.encoded(pictures.mask(values=(1, 0))))
    changed = source_digest(settings)
    assert changed != before
    assert sum(part.size for part in listing.parts_of(settings, changed)) == 40
    assert listing.digest_of(settings) == changed
