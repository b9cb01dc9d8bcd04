"""Two real workers on loopback, and two devices in one process, train what one device trains."""

import json
import os
import socket
import sys
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from segpipe.config import to_json
from segpipe.train import checkpoint
from segpipe.train.distribution import Cluster, cluster
from tests import forked
from tests.train.conftest import fit, small_config, transform, write_records

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


PROGRAM = """
import hashlib, json, sys

import tensorflow as tf

config, train_files, eval_files, folder, devices = sys.argv[1:]
if int(devices) > 1:
    cpu, = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * int(devices))

from segpipe.config import from_json
from segpipe.train import distribution
from tests.train.conftest import fit, transform

trained = fit(from_json(config), json.loads(train_files), json.loads(eval_files), transform, folder)
weights = b"".join(variable.numpy().tobytes() for variable in trained.model.variables)
answer = {
    "strategy": type(distribution.strategy()).__name__,
    "replicas": distribution.strategy().num_replicas_in_sync,
    "history": trained.history,
    "weights": hashlib.sha256(weights).hexdigest(),
}
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Four files of train pictures, unequally many in each, and the eval file."""
    folder = tmp_path_factory.mktemp("shards")
    train_files = [
        write_records(folder / f"train-{index}.gz", count, index) for index, count in enumerate((9, 6, 5, 4))
    ]
    return train_files, [write_records(folder / "eval.gz", 7, 9)]


@pytest.fixture(scope="module")
def config():
    return small_config(epochs=6, augment=False, patience_epochs=6, class_weights="balanced", deterministic=True)


@pytest.fixture(scope="module")
def alone(config, shards, tmp_path_factory):
    """The history of one device."""
    return fit(config, *shards, transform, str(tmp_path_factory.mktemp("alone"))).history


@dataclass
class Worker:
    process: BaseProcess
    out: Path
    err: Path

    def answer(self) -> dict:
        self.process.join(300)
        assert self.process.exitcode == 0, self.err.read_text()[-3000:]
        return json.loads(self.out.read_text().splitlines()[-1])


def start(config, shards, folder: Path, name: str = "", devices: int = 1, tf_config: dict | None = None) -> Worker:
    train_files, eval_files = shards
    arguments = [to_json(config), json.dumps(train_files), json.dumps(eval_files), str(folder / "work"), str(devices)]
    environment = {**os.environ, "TF_CONFIG": json.dumps(tf_config or {})}
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    process = forked.start([sys.executable, "-c", PROGRAM, *arguments], environment, folder, out, err)
    return Worker(process, out, err)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def assert_same_curve(history, expected):
    """Each replica normalizes by its own half of a batch, so that the curves are alike and not equal."""
    for key in ("loss", "val_loss"):
        ours, theirs = ([row[key] for row in rows] for rows in (history, expected))
        np.testing.assert_allclose(ours, theirs, rtol=0.25, err_msg=key)
    assert [row["learning_rate"] for row in history] == [row["learning_rate"] for row in expected]


@pytest.mark.slow
def test_two_workers_train_as_one(config, shards, alone, tmp_path):
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    cluster = {"chief": addresses[:1], "worker": addresses[1:]}  # As Vertex AI sets it.
    tasks = [{"type": "chief", "index": 0}, {"type": "worker", "index": 0}]
    workers = [
        start(config, shards, tmp_path, task["type"], tf_config={"cluster": cluster, "task": task}) for task in tasks
    ]
    chief, worker = [worker.answer() for worker in workers]
    assert (chief["strategy"], chief["replicas"]) == ("CollectiveAllReduceStrategy", 2)
    assert chief["weights"] == worker["weights"]
    assert [row["val_mean_iou"] for row in chief["history"]] == [row["val_mean_iou"] for row in worker["history"]]
    assert_same_curve(chief["history"], alone)
    work = tmp_path / "work"
    assert sorted(path.name for path in work.iterdir()) == [checkpoint.FILE, "history.json", "tensorboard"]
    assert len(list((work / "tensorboard").iterdir())) == 1


@pytest.mark.slow
def test_two_devices_train_as_one(config, shards, alone, tmp_path):
    mirrored = start(config, shards, tmp_path, devices=2).answer()
    assert (mirrored["strategy"], mirrored["replicas"]) == ("MirroredStrategy", 2)
    assert_same_curve(mirrored["history"], alone)
