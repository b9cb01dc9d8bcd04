"""`kill -9` in the middle of a component: the next call continues and ends in the state of an unbroken run."""

import pytest

from segpipe.pipeline.local import lineage, run_state
from tests.pipeline.conftest import make_project

pytestmark = pytest.mark.slow

REACHED = {
    "ExampleGen": "pipeline/ExampleGen/examples/*",
    "Trainer": "checkpoints/*/*",
    "Evaluator": "pipeline/Evaluator/evaluation/*",
    "Pusher": "pipeline/Pusher/pushed_model/*",
}
"""What appears in the run's folder once a component is at work."""

LONGEST_WAIT_S = 600
TICK_S = 0.005


def kill_during(project, component):
    """Starts the run and kills it as soon as `component` is at work."""
    known = set(project.run_dir.glob(REACHED[component]))
    process = project.start()
    try:
        for _ in range(int(LONGEST_WAIT_S / TICK_S)):
            if set(project.run_dir.glob(REACHED[component])) - known:
                return
            process.join(TICK_S)
            if process.exitcode is not None:
                pytest.fail(f"the run ended before {component} was seen")
        pytest.fail(f"{component} was never reached")
    finally:
        process.kill()
        process.join()


def test_a_run_killed_in_every_slow_component_ends_like_an_unbroken_one(project, tmp_path):
    unbroken = project.run()
    assert unbroken.returncode == 0, unbroken.stderr
    broken = make_project(tmp_path / "broken")
    for component in REACHED:
        kill_during(broken, component)
        assert broken.summary()["status"] == run_state.RUNNING
        assert run_state.read(broken.run_dir)["status"] == run_state.KILLED
    finished = broken.run()
    assert finished.returncode == 0, finished.stderr
    assert "the last run was killed in Pusher; this one continues it" in finished.stderr
    assert broken.statuses()["Trainer"] == "reused"

    assert broken.summary()["metrics"] == project.summary()["metrics"]
    assert_nothing_half_written(broken)


def assert_nothing_half_written(project):
    serving = list((project.run_dir / "serving").iterdir())
    assert len(serving) == 1
    assert not list(project.run_dir.rglob("*.partial"))
    store = lineage.open_store(project.run_dir / "metadata.db")
    assert lineage.close_interrupted(store, project.run_dir / "pipeline") == []
    published = {artifact.uri.rstrip("/") for artifact in store.get_artifacts()}
    written = [path for path in project.run_dir.glob("pipeline/[A-Z]*/[a-z]*/*") if path.is_dir()]
    assert {str(path) for path in written} <= published
