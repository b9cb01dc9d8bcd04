"""`python -m benchmarks` measures both designs from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_both_designs_run_on_a_few_pictures(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--pictures", "64", "--training-steps", "1", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [result] = tmp_path.glob("*.json")
    assert done.stdout.strip().endswith(result.name)
    measured = json.loads(result.read_text())
    for name in ("segpipe", "published"):
        [design] = measured["measured"][name]
        assert design["run"]["pushed"]
        assert 0 < design["run"]["fit"]["seconds"] < design["run"]["seconds"] < design["run_cost"]["seconds"]
    rows = {row["name"]: row for row in measured["compared"]["64"]}
    assert all(row["segpipe"] > 0 and row["published"] > 0 for row in rows.values())
    # One float32 per channel and pixel, and one per label: neither the machine nor its load changes that.
    assert rows["Example as prepared"]["published"] == pytest.approx((3 + 1) * 128 * 128 * 4 / 1e3, rel=0.01)
    assert rows["Example as prepared"]["segpipe"] < rows["Example as prepared"]["published"] / 15
