"""What StatisticsGen looks at: the scalars of each picture, not its bytes."""

import tensorflow_data_validation as tfdv

from segpipe import schema

OBSERVED_FEATURES = (schema.HEIGHT, schema.WIDTH, *schema.IMAGE_STATISTICS, schema.CLASS_FRACTION)
"""Encoded pictures and masks cost most of the time and tell nothing; ids differ by design."""


def stats_options() -> tfdv.StatsOptions:
    """TFDV's options with the observed features only."""
    return tfdv.StatsOptions(feature_allowlist=list(OBSERVED_FEATURES))
