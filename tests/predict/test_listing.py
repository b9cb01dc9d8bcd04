import fsspec
import pytest

from segpipe.errors import DataError
from segpipe.predict.listing import listing
from tests.serve.server_model import BLUE, GREEN, RED, halves, picture


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    (folder / "a.png").write_bytes(halves(RED, BLUE))
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "more" / "b.jpg").write_bytes(picture(GREEN, kind="JPEG"))
    (folder / "notes.txt").write_text("left alone")
    return folder


def test_globs_folders_files_and_urls_are_listed_once_with_ids_below_them(pictures):
    ids = [one.id for one in listing([f"{pictures}/*.png", str(pictures), str(pictures / "a.png")])]
    assert ids == ["a", "bad", "more/b"]
    (pictures / "a.jpg").write_bytes(b"")
    assert [one.id for one in listing([str(pictures)])] == ["a.jpg", "a.png", "bad", "more/b"]
    [listed] = listing([f"{pictures}/**/*.jpg"])[1:]
    assert (listed.id, listed.number) == ("more/b", 1)


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("*.jpg", {"top": "top.jpg"}),
        ("**/*.jpg", {"top": "top.jpg", "photos/cat1": "photos/cat1.jpg"}),
        ("./top.jpg", {"top": "top.jpg"}),
        ("./photos/*.jpg", {"cat1": "photos/cat1.jpg"}),
        ("photos//", {"cat1": "photos/cat1.jpg"}),
        (".", {"top": "top.jpg", "photos/cat1": "photos/cat1.jpg", "photo[1]": "photo[1].png"}),
        ("photo[1].png", {"photo[1]": "photo[1].png"}),
    ],
)
def test_what_is_named_from_the_folder_one_is_in_is_found_with_its_id_below_it(monkeypatch, tmp_path, named, found):
    (tmp_path / "photos").mkdir()
    for name in ("top.jpg", "photos/cat1.jpg", "photo[1].png"):
        (tmp_path / name).write_bytes(picture(RED))
    monkeypatch.chdir(tmp_path)
    assert {one.id: one.path for one in listing([named])} == found


def test_a_picture_that_two_inputs_spell_differently_is_predicted_once(monkeypatch, pictures):
    monkeypatch.chdir(pictures)
    found = listing([".", "./a.png", "a.png", "*.png", "more/../a.png"])
    assert [one.id for one in found] == ["a", "bad", "more/b"]


def test_two_pictures_that_would_be_written_as_one_are_refused(pictures):
    twin = pictures.with_name("twin")
    twin.mkdir()
    (twin / "a.png").write_bytes(halves(RED, BLUE))
    with pytest.raises(DataError, match=r"pictures/a\.png and .*twin/a\.png would both be written as a\.png; predict"):
        listing([str(pictures), str(twin)])
    assert "pictures/a" in [one.id for one in listing([str(pictures.parent)])]


def test_what_names_no_picture_is_told(pictures):
    with pytest.raises(DataError, match=r"there is no file .*gone\.jpg"):
        listing([str(pictures / "gone.jpg")])
    with pytest.raises(DataError, match=r"nothing matches .*\*\.tif"):
        listing([f"{pictures}/*.tif"])


def test_a_glob_means_pictures_and_where_no_suffix_tells_them_all_that_matches(pictures):
    assert [one.id for one in listing([f"{pictures}/*"])] == ["a", "bad"]
    (pictures / "scan-1").write_bytes(picture(RED))
    assert [one.id for one in listing([f"{pictures}/scan-*"])] == ["scan-1"]


@pytest.mark.parametrize("named", [".", "**/*.*", "ABSOLUTE"])
def test_predictions_of_an_earlier_call_are_no_pictures_of_the_folder_around_them(monkeypatch, pictures, named):
    monkeypatch.chdir(pictures)
    (pictures / "predictions").mkdir()
    (pictures / "predictions" / "a.mask.png").write_bytes(picture(RED))
    named = named.replace("ABSOLUTE", str(pictures))
    assert [one.id for one in listing([named], "predictions")] == ["a", "bad", "more/b"]
    assert [one.id for one in listing(["predictions"], "predictions")] == ["a.mask"]
    assert [one.id for one in listing(["more"], ".")] == ["b"]
    for one in ("a.png", "bad.png", "more/b.jpg"):
        (pictures / one).unlink()
    with pytest.raises(DataError, match="holds no pictures but the predictions in predictions"):
        listing([named], "predictions")


def test_predictions_in_a_store_are_left_out_alike(tmp_path, monkeypatch):
    memory = fsspec.filesystem("memory")
    for path in ("/around/a.png", "/around/out/masks/a.png", "/around/.hidden/b.png"):
        memory.pipe(path, picture(RED))
    assert [one.id for one in listing(["memory://around"], "memory://around/out/")] == ["a"]
    monkeypatch.chdir(tmp_path)
    assert [one.id for one in listing(["memory://around"], ".")] == ["a", "out/masks/a"]
