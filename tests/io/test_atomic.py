import pytest

from segpipe.io import atomic


def test_a_copied_tree_has_every_file(tmp_path):
    source = tmp_path / "model"
    (source / "variables").mkdir(parents=True)
    (source / "saved_model.pb").write_bytes(b"graph")
    (source / "variables" / "data").write_bytes(b"weights")
    atomic.copy_tree(source, tmp_path / "serving" / "1")
    copied = {p.relative_to(tmp_path / "serving" / "1").as_posix() for p in (tmp_path / "serving" / "1").rglob("*")}
    assert copied == {"saved_model.pb", "variables", "variables/data"}


def test_a_copy_that_dies_leaves_no_target_and_the_next_one_completes(tmp_path, monkeypatch):
    source = tmp_path / "model"
    source.mkdir()
    (source / "a").write_text("a")
    target = tmp_path / "serving" / "1"
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush", lambda path: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            atomic.copy_tree(source, target)
    assert not target.exists()
    atomic.copy_tree(source, target)
    assert (target / "a").read_text() == "a"
    assert [p.name for p in target.parent.iterdir()] == ["1"]


def test_a_finished_target_is_left_as_it_is(tmp_path):
    source, target = tmp_path / "model", tmp_path / "serving" / "1"
    source.mkdir()
    (source / "a").write_text("new")
    target.mkdir(parents=True)
    (target / "a").write_text("old")
    atomic.copy_tree(source, target)
    assert (target / "a").read_text() == "old"


def test_text_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "summary.json"
    atomic.write_text(path, "one")
    atomic.write_text(path, "two")
    assert path.read_text() == "two"
    assert [p.name for p in path.parent.iterdir()] == ["summary.json"]
