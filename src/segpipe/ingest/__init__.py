"""Raw sources in, `tf.train.Example`s in sharded TFRecord out: one Example per picture, checked before it is written.

Read in this order: `record` (what a source lists), `encode` (record → Example), `shards` (many → files), `prepare`.
"""
