"""The `tfx` command line on runners/: create, compile and run, here and to Vertex AI's wire."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.pipeline.conftest import Project
from tests.servers.google_cloud import LoopbackGoogle

RUNNERS = Path(__file__).parents[2] / "runners"


def tfx(home: Path, project: Project, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The `tfx` command, as its script calls it."""
    environment = {
        **environment,
        "HOME": str(home),
        # As in an activated environment: tfx asks `pip`, by name.
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "SEGPIPE_CONFIG": str(project.folder / "pipeline.toml"),
    }
    return forked.run([sys.executable, "-m", "tfx.tools.cli.cli_main", *arguments], environment, home)


@pytest.mark.slow
def test_the_whole_pipeline_runs_from_the_local_runner(project: Project, tmp_path: Path) -> None:
    runner, environment = str(RUNNERS / "local_runner.py"), dict(os.environ)
    created = tfx(tmp_path, project, environment, "pipeline", "create", "--engine=local", f"--pipeline_path={runner}")
    assert 'Pipeline "tiny" created successfully' in created.stdout, created.stderr[-2000:]
    done = tfx(tmp_path, project, environment, "run", "create", "--engine=local", "--pipeline_name=tiny")
    assert done.returncode == 0, done.stderr[-3000:]
    [version] = (project.run_dir / "serving").iterdir()
    assert (version / "saved_model.pb").is_file()


@pytest.mark.slow
def test_the_vertex_runner_compiles_and_starts_a_run(
    cloud_project: Project, google: LoopbackGoogle, tmp_path: Path
) -> None:
    environment, runner = google.process_environment(), str(RUNNERS / "vertex_runner.py")
    created = tfx(
        tmp_path, cloud_project, environment, "pipeline", "create", "--engine=vertex", f"--pipeline_path={runner}"
    )
    assert 'Pipeline "tiny" created successfully' in created.stdout, created.stderr[-2000:]
    done = tfx(
        tmp_path, cloud_project, environment, "run", "create", "--engine=vertex", "--pipeline_name=tiny",
        "--project=my-project", "--region=us-central1",
    )  # fmt: skip
    assert "Run created for pipeline: tiny" in done.stdout, done.stderr[-2000:]
    [started] = google.vertex.store.jobs.values()
    assert started.display_name == "tiny"
    assert "Trainer" in started.pipeline_spec["root"]["dag"]["tasks"]
