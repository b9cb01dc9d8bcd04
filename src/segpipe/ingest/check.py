"""Finds every mistake of a config and its source that shows without decoding a picture, in a second or two."""

from segpipe.config import Config
from segpipe.ingest import feature_schema, listing


def check_before_run(config: Config) -> None:
    """Checks the source's listing, which is kept for the run, the splits and the schema.

    Raises:
      DataError: the source is missing, pictures and masks do not pair up, a split would be empty, or the schema and
        the config disagree.
    """
    feature_schema.check(config)
    listing.take(config)
