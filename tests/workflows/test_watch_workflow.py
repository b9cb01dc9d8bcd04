"""The scheduled look at the deployed model: red on drift, and a training where it has degraded and that is wanted."""

import pytest

from tests.workflows.act import runs

DEPLOYED = {"DEPLOYED_RUN": "gs://bucket/runs/demo"}
RETRAIN = {**DEPLOYED, "RETRAIN_WHEN_DEGRADED": "true"}


@pytest.fixture
def watch(forge):
    (forge.root / "src/model.txt").write_text("0.6")
    forge.commit()

    def watch(status, variables):
        page = "mkdir -p runs/deployed/watch && echo page > runs/deployed/watch/index.html"
        forge.replace_command("segpipe", f"{page}; echo the verdict; exit {status}")
        return forge.run("schedule", "watch.yml", variables=variables)

    return watch


def commands(forge):
    return [line for line in forge.log if line.split("\t")[0] in ("gcloud", "segpipe", "gh")]


def test_nothing_is_watched_where_nothing_is_deployed(watch, forge):
    assert watch(0, {}).jobs == {}
    assert forge.log == []


@runs("watch.yml/drift")
@pytest.mark.parametrize(("status", "green"), [(0, True), (4, False), (5, False)])
def test_the_verdict_is_the_jobs(watch, forge, status, green):
    finished = watch(status, DEPLOYED)
    assert finished.succeeded is green
    fetched, watched = commands(forge)
    assert fetched == "gcloud\tstorage rsync --recursive gs://bucket/runs/demo runs/deployed"
    assert watched.startswith("segpipe\twatch configs/demo.toml --set output_dir=/")
    assert "Summary - the verdict" in finished.output
    assert (forge.artifacts / "index.html/index.html").read_text() == "page\n"


@pytest.mark.parametrize(
    ("status", "started"), [(0, False), (4, False), pytest.param(5, True, marks=runs("watch.yml/retrain"))]
)
def test_only_a_degraded_model_is_trained_anew(watch, forge, status, started):
    watch(status, RETRAIN)
    dispatch = "gh\tworkflow run train.yml --ref main -f config=configs/demo.toml -f target=vertex"
    assert (dispatch in forge.log) is started
