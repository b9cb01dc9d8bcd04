"""Fixtures of the tests that talk to Google Cloud on loopback."""

from collections.abc import Iterator

import pytest

from .google_cloud import LoopbackGoogle


@pytest.fixture(scope="session")
def google_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackGoogle]:
    """One set of servers for the session: gRPC reads its trusted certificates once in a process."""
    with LoopbackGoogle(tmp_path_factory.mktemp("google")) as servers:
        yield servers


@pytest.fixture
def google(google_servers: LoopbackGoogle, monkeypatch: pytest.MonkeyPatch) -> LoopbackGoogle:
    """Google Cloud on loopback, with nothing deployed, and this process's environment pointing there."""
    for name, value in google_servers.environment().items():
        monkeypatch.setenv(name, value)
    google_servers.forget()
    return google_servers
