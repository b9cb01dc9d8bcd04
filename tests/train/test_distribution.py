import json

import pytest

from segpipe.train.distribution import Cluster, cluster

VERTEX = {"chief": ["a:2222"], "worker": ["b:2222", "c:2222"]}


@pytest.mark.parametrize(
    ("tf_config", "expected"),
    [
        (None, Cluster(1, 0)),
        ({}, Cluster(1, 0)),
        ({"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}, Cluster(1, 0)),
        ({"cluster": VERTEX, "task": {"type": "chief", "index": 0}}, Cluster(3, 0)),
        ({"cluster": VERTEX, "task": {"type": "worker", "index": 1}}, Cluster(3, 2)),
        ({"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}, Cluster(2, 1)),
    ],
)
def test_tf_config_gives_each_process_its_place(monkeypatch, tf_config, expected):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf_config is not None:
        monkeypatch.setenv("TF_CONFIG", json.dumps(tf_config))
    assert cluster() == expected
