import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from segpipe.errors import ConfigError
from segpipe.model import weights

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "site" / "net.weights.h5"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def url(file):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=file.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{file.name}"
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_a_relative_path_starts_at_the_given_folder(file):
    assert weights.fetch("net.weights.h5", file.parent) == file


def test_a_missing_file_names_the_alternatives(tmp_path):
    with pytest.raises(ConfigError, match=r'no such file: .*gone\.h5; name a file .* model\.weights = "none"'):
        weights.fetch("gone.h5", tmp_path)


def test_a_url_is_downloaded_once(url, file, tmp_path):
    first = weights.fetch(f"{url}#sha256={SHA256}", tmp_path)
    file.unlink()
    again = weights.fetch(f"{url}#sha256={SHA256}", tmp_path)
    assert first == again
    assert first.name == "net.weights.h5"
    assert first.read_bytes() == CONTENT


def test_a_url_without_a_checksum_is_refused(url, tmp_path):
    with pytest.raises(ConfigError, match="needs its checksum"):
        weights.fetch(url, tmp_path)


@pytest.mark.parametrize("remote", [True, False])
def test_other_content_than_promised_is_refused_and_not_kept(url, file, tmp_path, cache, remote):
    place = url if remote else str(file)
    with pytest.raises(ConfigError, match=f"should have SHA-256 {'0' * 64}, its content has {SHA256}"):
        weights.fetch(f"{place}#sha256={'0' * 64}", tmp_path)
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_an_unreachable_url_names_the_alternatives(tmp_path):
    with pytest.raises(ConfigError, match=r'cannot download http://127\.0\.0\.1:9/w\.h5 .* model\.weights = "none"'):
        weights.fetch(f"http://127.0.0.1:9/w.h5#sha256={SHA256}", tmp_path)
