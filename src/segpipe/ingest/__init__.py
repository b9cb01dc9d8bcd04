"""Turns raw sources into `tf.train.Example`s in sharded TFRecord, one per picture, each checked before it is written.

Read in this order: `record` (what a source lists), `encode` (record → Example), `shards` (many → files), `prepare`.
"""
