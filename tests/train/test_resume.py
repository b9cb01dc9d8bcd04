"""A training that is killed in the middle of an epoch ends where an unbroken one does."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from segpipe.config import Config, to_json
from segpipe.train import checkpoint
from tests import forked
from tests.train.conftest import small_config

PROGRAM = """
import json, os, signal, sys
from segpipe import progress
from segpipe.config import from_json
from tests.train.conftest import fit, transform

config, train_file, eval_file, folder, killed_in = sys.argv[1:]

def listen(step):
    print(step.what, step.done, flush=True)
    if step.what == killed_in:
        os.kill(os.getpid(), signal.SIGKILL)

with progress.listening(listen):
    fit(from_json(config), [train_file], [eval_file], transform, folder)
"""


def run(
    config: Config, files, folder: Path, killed_in: str = "", environment: Mapping[str, str] = os.environ
) -> tuple[int | None, str]:
    """Trains in a process that is killed when it tells of `killed_in`; returns its exit status, and what it told."""
    (train_file,), (eval_file,) = files
    command = [sys.executable, "-c", PROGRAM, to_json(config), train_file, eval_file, str(folder), killed_in]
    out = folder.with_name(f"{folder.name}-{killed_in.replace('/', '-of-')}.out")
    process = forked.start(command, environment, folder.parent, out, err=out)
    process.join(300)
    return process.exitcode, out.read_text()


def final_state(folder) -> tuple[list[np.ndarray], list[dict]]:
    arrays = np.load(folder / checkpoint.FILE)
    history = json.loads((folder / "history.json").read_text())
    for row in history:
        del row["seconds"], row["pictures_per_s"]
    return [arrays[name] for name in arrays.files if name != "header"], history


@pytest.mark.slow
def test_killed_in_an_epoch_it_continues_to_the_same_result(files, tmp_path):
    config = small_config(epochs=3, batch_size=4, deterministic=True)
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    status, told = run(config, files, unbroken)
    assert status == 0, told

    status, told = run(config, files, broken, killed_in="epoch 2/3")
    assert status == -signal.SIGKILL, told
    assert json.loads((broken / "history.json").read_text())[-1]["epoch"] == 1

    status, told = run(config, files, broken)
    assert status == 0, told
    assert "epoch 1/3" not in told
    assert "epoch 2/3" in told

    (expected, expected_history), (got, got_history) = final_state(unbroken), final_state(broken)
    assert got_history == expected_history
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_training_does_not_continue_a_checkpoint(tmp_path):
    checkpoint.save(str(tmp_path), "one", checkpoint.State(epoch=3, variables=[np.ones(2)]))
    assert checkpoint.load(str(tmp_path), "one").epoch == 3
    assert checkpoint.load(str(tmp_path), "other") is None
    assert checkpoint.load(str(tmp_path / "empty"), "one") is None


def test_a_write_that_breaks_off_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoint.save(str(tmp_path), "one", checkpoint.State(epoch=1, variables=[np.ones(2)]))
    monkeypatch.setattr(checkpoint.tf.io.gfile, "rename", lambda *_, **__: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        checkpoint.save(str(tmp_path), "one", checkpoint.State(epoch=2, variables=[np.zeros(2)]))
    assert checkpoint.load(str(tmp_path), "one").epoch == 1


def test_the_state_comes_back_bit_for_bit(tmp_path):
    rng = np.random.default_rng(0)
    state = checkpoint.State(
        epoch=2,
        variables=[rng.normal(size=(3, 2)).astype(np.float32), np.array(7, np.int64)],
        best=[rng.normal(size=4).astype(np.float32)],
        best_epoch=1,
        history=[{"epoch": 1, "val_class_iou": [0.5, None]}],
    )
    checkpoint.save(str(tmp_path), "d", state)
    loaded = checkpoint.load(str(tmp_path), "d")
    for ours, theirs in zip([*loaded.variables, *loaded.best], [*state.variables, *state.best], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert (loaded.epoch, loaded.best_epoch, loaded.history) == (2, 1, state.history)


def test_what_is_both_the_last_and_the_best_is_stored_once(tmp_path):
    weights = np.ones(1_000_000, np.float32)
    checkpoint.save(str(tmp_path), "d", checkpoint.State(epoch=1, variables=[weights, np.array(7)], best=[weights]))
    assert (tmp_path / checkpoint.FILE).stat().st_size < 1.1 * weights.nbytes
    loaded = checkpoint.load(str(tmp_path), "d")
    assert len(loaded.variables) == 2
    np.testing.assert_array_equal(loaded.best[0], weights)
