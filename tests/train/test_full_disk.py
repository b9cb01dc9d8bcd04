"""A disk that is really full: a small one of its own, mounted for one process."""

import json
import subprocess
import sys

import pytest

from segpipe.config import to_json
from tests.train.conftest import small_config

IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--"]
DISK_MB = 64

PROGRAM = """
import json, pathlib, subprocess, sys, tempfile

config, train_file, eval_file, disk, disk_mb = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs", disk], check=True)
tempfile.tempdir = disk
ballast = pathlib.Path(disk, "ballast")


def fill(left: int = 0):
    with ballast.open("wb", buffering=0) as file:
        file.write(bytes(left))  # Kept free again below.
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - left)


from segpipe import progress
from segpipe.config import from_json
from segpipe.errors import RunError
from tests.train.conftest import fit as train, transform

config = from_json(config)
said = []


def fit(config, listener):
    with progress.listening(listener):
        try:
            return train(config, [train_file], [eval_file], transform, f"{disk}/work").history
        except RunError as error:
            said.append(str(error))


on_disk = config.model_copy(update={"train": config.train.model_copy(update={"cache_gb": 0.0})})
fill(left=65536)  # The pictures need 20 x 32 x 32 x 4 = 81,920 bytes.
fit(on_disk, lambda step: None)
ballast.unlink()
fit(config, lambda step: fill() if step.what == "epoch 2/2" and not ballast.exists() else None)
left_behind = [path.name for path in pathlib.Path(disk, "work").iterdir()]
ballast.unlink()
epochs = set()
history = fit(config, lambda step: epochs.add(step.what))
print(json.dumps({"said": said, "left_behind": left_behind, "epochs": sorted(epochs), "done": len(history)}))
"""


def needs_a_namespace() -> None:
    if subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no process mount a disk of its own")


@pytest.mark.slow
def test_a_full_disk_says_what_to_change_and_the_same_call_continues(files, tmp_path):
    needs_a_namespace()
    disk = tmp_path / "disk"
    disk.mkdir()
    config = small_config(epochs=2)
    arguments = [to_json(config), files[0][0], files[1][0], str(disk), str(DISK_MB)]
    done = subprocess.run(
        [*IN_A_NAMESPACE, sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    no_room_for_pictures, no_room_for_checkpoint = answer["said"]
    assert f"the train split needs 0.1 MB at 32 pixels, and {disk} has" in no_room_for_pictures
    assert "point TMPDIR to a larger disk" in no_room_for_pictures
    assert "the disk is full" in no_room_for_checkpoint
    assert "it continues after the last whole epoch" in no_room_for_checkpoint
    assert sorted(answer["left_behind"]) == ["checkpoint.npz", "history.json", "tensorboard"]
    assert "epoch 1/2" not in answer["epochs"]
    assert "epoch 2/2" in answer["epochs"]
    assert answer["done"] == 2
