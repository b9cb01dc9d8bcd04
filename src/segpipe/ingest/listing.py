"""Lists a source once for a whole run: the check before the run hands its listing on to ExampleGen.

A listing costs a pass over folders, a bucket or annotation files. It is handed on within this process only, and only to
whoever names the digest that the source had when it was listed: a change of the data or of the config asks anew.
"""

from dataclasses import dataclass

from segpipe.config import Config
from segpipe.ingest import sources
from segpipe.ingest.record import Part
from segpipe.ingest.source_digest import source_digest


@dataclass
class _Listing:
    config: Config
    digest: str
    parts: list[Part]


_latest: _Listing | None = None


def take(config: Config) -> None:
    """Lists the source and keeps the listing for `digest_of` and `parts_of`.

    Raises:
      DataError: see `sources.parts`.
    """
    global _latest
    _latest = None
    digest = source_digest(config)  # Before the listing: what changes after it is seen by the digest at the end.
    _latest = _Listing(config, digest, sources.parts(config))


def digest_of(config: Config) -> str:
    """The digest that the source of `config` had when it was listed, or has now if nobody listed it.

    Raises:
      DataError: the source is missing.
    """
    return _latest.digest if _latest and _latest.config == config else source_digest(config)


def parts_of(config: Config, digest: str) -> list[Part]:
    """The parts that were listed at `digest`, or those of now if nobody listed them; a listing is given out once.

    Raises:
      DataError: see `sources.parts`.
    """
    global _latest
    listing, _latest = _latest, None
    return listing.parts if listing and listing.digest == digest else sources.parts(config)


def drop() -> None:
    """Lets go of a listing that nobody asked for, as when ExampleGen is reused."""
    global _latest
    _latest = None
