"""Paths and URLs are joined, listed and matched alike."""

from contextlib import suppress
from http import HTTPStatus

import pytest

from segpipe.errors import DataError
from segpipe.ingest import encode
from segpipe.ingest.picture import BadPictureError
from segpipe.io import files
from tests.servers import web


@pytest.mark.parametrize(
    ("folder", "name", "joined"),
    [
        ("/a/b", "c", "/a/b/c"),
        ("/a/b/", "c/d", "/a/b/c/d"),
        ("/a/b", ".", "/a/b"),
        ("/a/b", "", "/a/b"),
        ("/a/b", "../c", "/a/c"),
        ("gs://x/a/b", "..", "gs://x/a"),
        ("gs://x/a", "../c.jpg", "gs://x/c.jpg"),
    ],
)
def test_join(folder, name, joined):
    assert files.join(folder, name) == joined


def test_listing_is_sorted_nested_and_without_hidden_files(tmp_path):
    for name in ("b.txt", "a/c.txt", ".hidden", ".git/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [e.path for e in files.listing(str(tmp_path))] == [str(tmp_path / "a/c.txt"), str(tmp_path / "b.txt")]


def test_a_link_to_nowhere_is_listed_and_has_no_version(tmp_path):
    (tmp_path / "here").write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "annex" / "key")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    gone, here, loop = files.listing(str(tmp_path))
    assert (gone.path, gone.version, loop.version) == (str(tmp_path / "gone"), "", "")
    assert here.version


def test_a_rewritten_file_has_another_version(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    before = files.digest(files.listing(str(tmp_path)))
    path.write_text("three")
    assert files.digest(files.listing(str(tmp_path))) != before


def test_matching_takes_a_file_a_glob_or_a_folder(tmp_path):
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / name).write_text("x")
    found = {
        pattern: [entry.path.rsplit("/", 1)[-1] for entry in files.matching(str(tmp_path / pattern), (".csv",))]
        for pattern in ("a.csv", "[ab]*.csv", "")
    }
    assert found == {"a.csv": ["a.csv"], "[ab]*.csv": ["a.csv", "b.csv"], "": ["a.csv", "b.csv"]}
    with pytest.raises(DataError, match="nothing matches"):
        files.matching(str(tmp_path / "*.pq"), (".pq",))


def test_a_file_or_a_folder_that_is_called_like_a_glob_stands_for_itself(tmp_path):
    for name in ("a[1].csv", "a1.csv", "b*/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    for named, found in (("a[1].csv", "a[1].csv"), ("b*", "b*/c.csv"), ("a[1]*", "a1.csv")):
        assert [entry.path for entry in files.matching(str(tmp_path / named), (".csv",))] == [str(tmp_path / found)]


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (HTTPStatus.FORBIDDEN, "cannot be read: the server answers 403 Forbidden."),
        (HTTPStatus.TOO_MANY_REQUESTS, "cannot be read: the server answers 429 Too Many Requests."),
        (HTTPStatus.INTERNAL_SERVER_ERROR, "cannot be read: the server answers 500 Internal Server Error."),
        (HTTPStatus.NOT_FOUND, "does not exist."),
    ],
)
def test_a_picture_that_a_web_server_does_not_give_is_a_bad_one_and_its_signature_stays_secret(status, why):
    with web.answering(status) as address, pytest.raises(BadPictureError) as raised:
        encode.content(f"{address}/a.jpg?signature=secret", "a", "image")
    assert str(raised.value) == f"{address}/a.jpg {why}"


def write_half(path: str, content: bytes = b"half") -> None:
    """A write that is broken off."""
    with suppress(ZeroDivisionError), files.open_to_write(path) as stream:
        stream.write(content)
        raise ZeroDivisionError


def test_a_write_that_fails_leaves_neither_a_file_nor_a_rest(tmp_path):
    write_half(str(tmp_path / "a"))
    write_half(f"file://{tmp_path}/b")
    assert list(tmp_path.iterdir()) == []
    write_half("memory://half/a")
    assert not files.exists("memory://half/a")
