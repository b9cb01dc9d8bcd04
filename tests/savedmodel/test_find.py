import fsspec
import pytest

from segpipe.errors import UserError
from segpipe.savedmodel.find import Serving, find, find_deployed, find_serving, is_version, version_of, versions


@pytest.fixture(params=["local", "memory"])
def root(request, tmp_path, monkeypatch):
    """The parent of runs/demo with the versions 9 and 10, and of what looks like versions but is none."""
    paths = [f"runs/demo/serving/{name}/saved_model.pb" for name in ("9", "10", "12abc", "²", "11.5")]
    paths += ["trained/Format-Serving/saved_model.pb", "runs/demo/serving/99/half", "runs/empty/serving/x"]
    if request.param == "memory":
        memory = fsspec.filesystem("memory")
        memory.store.clear()
        for path in paths:
            memory.pipe_file(f"/bucket/{path}", b"")
        return "memory://bucket"
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    return str(tmp_path)


@pytest.mark.parametrize("form", ["runs/demo", "runs/demo/", "runs/demo/serving", "runs/demo/serving/10"])
def test_each_form_names_the_newest_version(root, form):
    newest = f"{root}/runs/demo/serving/10"
    assert find(f"{root}/{form}") == newest
    assert find_serving(f"{root}/{form}") == Serving("demo", f"{root}/runs/demo/serving")
    assert version_of(find(f"{root}/{form}")) == 10


def test_an_older_version_is_itself(root):
    assert find(f"{root}/runs/demo/serving/9") == f"{root}/runs/demo/serving/9"


def test_what_a_trainer_wrote_is_a_model_that_has_no_version(root):
    model = f"{root}/trained/Format-Serving"
    assert find(f"{root}/trained") == find(model) == model
    assert version_of(model) == 0
    for form in ("trained", "trained/Format-Serving"):
        with pytest.raises(UserError, match="must be named by its version number, as in Format-Serving/1"):
            find_serving(f"{root}/{form}")


def test_versions_are_numbers_newest_first(root):
    folder = f"{root}/runs/demo/serving"
    assert versions(folder) == {number: f"{folder}/{number}" for number in (99, 10, 9)}
    assert find_deployed(folder) == f"{folder}/10"  # 99 is not all there.


def test_where_no_model_is_there_is_an_error(root):
    with pytest.raises(UserError, match="no SavedModel in"):
        find(f"{root}/runs/empty")
    with pytest.raises(UserError, match="no run, serving folder or SavedModel"):
        find_serving(f"{root}/runs")
    with pytest.raises(UserError, match="holds no model"):
        find_deployed(f"{root}/runs/empty/serving")


def test_a_run_is_found_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "runs/demo/serving/7").mkdir(parents=True)
    (tmp_path / "runs/demo/serving/7/saved_model.pb").touch()
    (tmp_path / "demo").mkdir()  # Holds no model, so the run is meant.
    monkeypatch.chdir(tmp_path)
    assert find("demo") == find("runs/demo") == "runs/demo/serving/7"
    assert find_serving("demo") == Serving("demo", f"{tmp_path}/runs/demo/serving")
    monkeypatch.chdir(tmp_path / "runs/demo/serving/7")
    assert version_of(find(".")) == 7
    assert find_serving(".").name == "demo"


def test_a_new_runs_empty_serving_folder_can_be_served(root):
    assert find_serving(f"{root}/runs/empty") == Serving("empty", f"{root}/runs/empty/serving")


@pytest.mark.parametrize(("name", "is_one"), [("0", True), ("12", True), ("²", False), ("12abc", False), ("", False)])
def test_a_version_is_ascii_digits_only(name, is_one):
    assert is_version(name) == is_one
