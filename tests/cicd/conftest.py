"""Google Cloud on loopback."""

from tests.servers.google_fixtures import google, google_servers  # noqa: F401 (fixtures of this folder)
