import pytest

from segpipe import config
from segpipe.pipeline import digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of nothing: modules under a namespace that the digest follows as it follows segpipe's own."""
    root = tmp_path / "pkgdigest"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "hook.py").write_text("from pkgdigest.net import build\n")
    (root / "net.py").write_text("import os\nfrom pkgdigest import layers\n\n\ndef build(): return layers\n")
    (root / "layers.py").write_text("WIDTH = 1\n")
    (root / "other.py").write_text("WIDTH = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(digest, "_PACKAGE", "pkgdigest")
    return root


def test_an_edit_of_code_that_is_imported_indirectly_changes_the_digest(package):
    before = digest.code_digest("pkgdigest.hook")
    assert digest.code_digest("pkgdigest.hook") == before
    (package / "layers.py").write_text("WIDTH = 2\n")
    assert digest.code_digest("pkgdigest.hook") != before


def test_an_edit_of_code_that_is_not_imported_leaves_the_digest(package):
    before = digest.code_digest("pkgdigest.hook")
    (package / "other.py").write_text("WIDTH = 2\n")
    assert digest.code_digest("pkgdigest.hook") == before


def test_the_trainer_depends_on_the_model_and_transform_does_not():
    trained_by = set(digest._import_closure("segpipe.pipeline.training"))
    transformed_by = set(digest._import_closure("segpipe.pipeline.preprocessing"))
    assert "segpipe.preprocess.pictures" in trained_by & transformed_by
    assert any(name.startswith("segpipe.model.") for name in trained_by)
    assert not any(name.startswith(("segpipe.model", "segpipe.train")) for name in transformed_by)


def test_sections_keep_what_a_component_depends_on_and_nothing_else(tmp_path):
    path = tmp_path / "farm.toml"
    path.write_text('[data]\nclasses = ["cat", "dog"]\n')

    def kept(*overrides):
        return digest.sections(config.load(path, overrides), "model", "train", "seed")

    assert kept("gate.min_mean_iou=0.9") == kept()
    assert kept("train.epochs=2") != kept()
    assert kept("seed=2") != kept()
    assert config.from_json(kept("train.epochs=2")).train.epochs == 2
