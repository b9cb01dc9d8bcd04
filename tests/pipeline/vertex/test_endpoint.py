"""The life of a model behind an endpoint, through Google's own client against Vertex AI on loopback."""

import json

import grpc
import pytest
from typer.testing import CliRunner

from segpipe.cli.main import app
from segpipe.config.vertex import Endpoint, Vertex
from segpipe.errors import RunError, UserError
from segpipe.pipeline.vertex.endpoint import ModelEndpoint
from segpipe.pipeline.vertex.errors import in_a_sentence
from tests.servers.google_cloud import PROJECT, LoopbackGoogle
from tests.servers.google_grpc import Fault
from tests.servers.vertex_serving import masks

REGION = "us-central1"
SIZE, CLASSES = 32, 3


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def life(google: LoopbackGoogle, waits: list[float]):
    def make(**settings: object) -> ModelEndpoint:
        settings = {"health_requests": 3, **settings}
        return ModelEndpoint("pets", PROJECT, REGION, Endpoint(**settings), sleep=waits.append)

    return make


def push(endpoint: ModelEndpoint, uri: str) -> str:
    return endpoint.push(uri, SIZE, CLASSES)


def versions(endpoint: ModelEndpoint) -> dict[str, int]:
    return {one.version: one.percent for one in endpoint.state().deployed}


def test_the_first_model_makes_the_endpoint_and_gets_every_request(google, life) -> None:
    name = push(life(), "gs://b/one")
    [endpoint] = google.vertex.store.endpoints.values()
    assert endpoint.display_name == "pets"
    assert name.endswith("@1")
    assert versions(life()) == {"1": 100}
    assert google.vertex.calls.count("Predict") == 3


def test_a_second_model_takes_over_and_the_old_one_is_no_longer_billed(google, life, waits) -> None:
    push(life(), "gs://b/one")
    push(life(grace_minutes=7), "gs://b/two")
    assert versions(life()) == {"2": 100}
    assert google.vertex.most_deployed == 2
    assert waits == [7 * 60]
    [model_versions] = google.vertex.store.models.values()
    assert [("default" in v.version_aliases) for v in model_versions] == [False, True]


def test_the_new_model_is_watched_at_its_share_before_it_takes_over(google, life) -> None:
    push(life(), "gs://b/one")
    splits = []
    google.vertex.predicts = lambda version, instances: (
        (splits.append(versions(life())) if version == "2" and len(splits) < 1 else None) or masks(instances)
    )
    push(life(canary_percent=20), "gs://b/two")
    assert splits[0] == {"1": 80, "2": 20}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda instances: [{"mask": [[0] * 8] * 8, "confidence": 0.5}], r"shape \(8, 8\), expected \(32, 32\)"),
        (lambda instances: masks(instances, class_id=7), "class 7 of 3"),
        (lambda instances: [{"label": 1}], "holds no mask"),
    ],
)
def test_a_model_that_answers_badly_is_rolled_back_and_switched_off(google, life, answer, sentence) -> None:
    push(life(), "gs://b/one")
    google.vertex.predicts = lambda version, instances: answer(instances) if version == "2" else masks(instances)
    with pytest.raises(RunError, match=sentence):
        push(life(), "gs://b/two")
    assert versions(life()) == {"1": 100}


def test_a_model_that_fails_its_requests_is_rolled_back(google, life) -> None:
    push(life(), "gs://b/one")
    seen = len(google.vertex.calls)
    google.vertex.faults["Predict"] = lambda _: (
        Fault(grpc.StatusCode.INTERNAL, "the container crashed")
        if google.vertex.calls[seen:].count("Predict") > 3
        else None
    )
    with pytest.raises(RunError, match="the container crashed"):
        push(life(), "gs://b/two")
    assert versions(life()) == {"1": 100}


def test_a_first_model_that_answers_badly_is_switched_off_too(google, life) -> None:
    google.vertex.predicts = lambda version, instances: masks(instances, class_id=9)
    with pytest.raises(RunError, match="rolled back"):
        push(life(), "gs://b/one")
    assert versions(life()) == {}


def test_a_model_that_goes_bad_within_the_grace_period_gives_the_old_one_its_requests_back(google, life) -> None:
    push(life(), "gs://b/one")

    def wait(_: float) -> None:
        google.vertex.predicts = lambda version, instances: masks(instances, class_id=9)

    endpoint = ModelEndpoint("pets", PROJECT, REGION, Endpoint(), sleep=wait)
    with pytest.raises(RunError, match="after its promotion"):
        push(endpoint, "gs://b/two")
    assert versions(life()) == {"1": 100}


def test_a_push_that_was_cut_off_is_finished_by_the_same_push(google, life) -> None:
    push(life(), "gs://b/one")

    def cut(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(ModelEndpoint("pets", PROJECT, REGION, Endpoint(), sleep=cut), "gs://b/two")
    assert versions(life()) == {"1": 0, "2": 100}
    push(life(), "gs://b/two")
    assert versions(life()) == {"2": 100}
    assert google.vertex.calls.count("UploadModel") == 2


def test_what_a_cut_off_push_left_is_switched_off_by_the_next_one(google, life) -> None:
    push(life(), "gs://b/one")
    push(life(promote="manual"), "gs://b/two")
    push(life(), "gs://b/three")
    assert versions(life()) == {"3": 100}
    assert google.vertex.most_deployed == 2


def test_a_canary_waits_for_a_person_who_promotes_it(life) -> None:
    push(life(), "gs://b/one")
    push(life(promote="manual", canary_percent=25), "gs://b/two")
    assert versions(life()) == {"1": 75, "2": 25}
    assert life().promote().version == "2"
    assert versions(life()) == {"2": 100}


def test_a_canary_waits_for_a_person_who_rolls_it_back(life) -> None:
    push(life(), "gs://b/one")
    push(life(promote="manual"), "gs://b/two")
    assert life().roll_back().version == "1"
    assert versions(life()) == {"1": 100}


def test_rolling_back_after_the_old_model_is_gone_deploys_its_version_again(google, life) -> None:
    push(life(), "gs://b/one")
    push(life(), "gs://b/two")
    assert life().roll_back().version == "1"
    assert versions(life()) == {"1": 100}
    [model_versions] = google.vertex.store.models.values()
    assert "default" in model_versions[0].version_aliases


def test_a_roll_back_that_was_cut_off_is_finished_by_the_next_one(google, life) -> None:
    push(life(), "gs://b/one")
    push(life(), "gs://b/two")
    google.vertex.faults["UndeployModel"] = Fault(grpc.StatusCode.INTERNAL, "not now")
    with pytest.raises(RunError, match="not now"), in_a_sentence("rolling back", Vertex(project=PROJECT)):
        life().roll_back()
    assert versions(life()) == {"1": 100, "2": 0}
    google.vertex.faults.clear()
    assert life().roll_back().version == "1"
    assert versions(life()) == {"1": 100}
    [model_versions] = google.vertex.store.models.values()
    assert ["default" in v.version_aliases for v in model_versions] == [True, False]


def test_a_model_that_was_refused_is_none_to_go_back_to(google, life) -> None:
    push(life(), "gs://b/one")
    google.vertex.predicts = lambda version, instances: masks(instances, class_id=9 if version == "2" else 0)
    with pytest.raises(RunError, match="rolled back"):
        push(life(), "gs://b/two")
    push(life(), "gs://b/three")
    assert life().roll_back().version == "1"
    assert versions(life()) == {"1": 100}


def test_old_versions_leave_the_registry(google, life) -> None:
    for number in range(5):
        push(life(keep_versions=2), f"gs://b/{number}")
    [model_versions] = google.vertex.store.models.values()
    assert [v.version_id for v in model_versions] == ["4", "5"]


def test_there_is_nothing_to_promote_or_to_go_back_to(life) -> None:
    with pytest.raises(UserError, match="no endpoint pets yet"):
        life().promote()
    push(life(), "gs://b/one")
    with pytest.raises(UserError, match="no candidate"):
        life().promote()
    with pytest.raises(UserError, match="no older model"):
        life().roll_back()


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        (
            Fault(grpc.StatusCode.PERMISSION_DENIED, "no"),
            UserError,
            "gcloud projects add-iam-policy-binding my-project",
        ),
        (
            Fault(grpc.StatusCode.PERMISSION_DENIED, "off", "SERVICE_DISABLED"),
            UserError,
            "gcloud services enable aiplatform.googleapis.com --project=my-project",
        ),
        (Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, "T4s"), UserError, r"quota of my-project in us-central1 .*T4s"),
        (Fault(grpc.StatusCode.NOT_FOUND, "gone"), UserError, "gone; check vertex.project"),
        (Fault(grpc.StatusCode.UNAUTHENTICATED, "who"), UserError, "gcloud auth application-default login"),
        (Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "slow"), RunError, "did not answer in time"),
        (Fault(grpc.StatusCode.INVALID_ARGUMENT, "bad"), UserError, "refused the request: bad"),
        (Fault(grpc.StatusCode.INTERNAL, "oops"), RunError, "status.cloud.google.com"),
    ],
)
def test_what_google_refuses_becomes_a_sentence_that_says_what_to_do(google, life, fault, kind, sentence) -> None:
    google.vertex.faults["UploadModel"] = fault
    vertex = Vertex(project=PROJECT, region=REGION)
    with (
        pytest.raises(kind, match=f"pushing the model failed: .*{sentence}"),
        in_a_sentence("pushing the model", vertex),
    ):
        push(life(), "gs://b/one")


def test_an_old_model_that_could_not_be_switched_off_is_switched_off_by_promote(google, life) -> None:
    push(life(), "gs://b/one")
    google.vertex.faults["UndeployModel"] = Fault(grpc.StatusCode.INTERNAL, "not now")
    with pytest.raises(RunError, match="not now"), in_a_sentence("pushing", Vertex(project=PROJECT, region=REGION)):
        push(life(), "gs://b/two")
    assert versions(life()) == {"1": 0, "2": 100}
    google.vertex.faults.clear()
    assert life().promote().version == "2"
    assert versions(life()) == {"2": 100}


def test_a_roll_back_that_was_cut_off_is_finished_and_the_model_tried_again_by_the_same_push(google, life) -> None:
    push(life(), "gs://b/one")
    google.vertex.predicts = lambda version, instances: masks(instances, class_id=9 if version == "2" else 0)
    google.vertex.faults["UndeployModel"] = Fault(grpc.StatusCode.INTERNAL, "not now")
    with pytest.raises(RunError, match="not now"), in_a_sentence("pushing", Vertex(project=PROJECT, region=REGION)):
        push(life(), "gs://b/two")
    assert versions(life()) == {"1": 100, "2": 0}
    google.vertex.faults.clear()
    with pytest.raises(RunError, match=r"version 2 was rolled back: .*class 9"):
        push(life(), "gs://b/two")
    assert versions(life()) == {"1": 100}


def test_the_commands_say_who_answers_and_change_it(google, life, tmp_path) -> None:
    config = tmp_path / "pets.toml"
    config.write_text(
        'name = "pets"\n[data]\nclasses = ["cat", "dog"]\n[vertex]\nproject = "my-project"\npipeline_root = "gs://bucket/runs"\n'
    )

    def endpoint(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["endpoint", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert endpoint("status", str(config)) == "pets: nothing is deployed, nothing is billed.\n"
    push(life(), "gs://b/one")
    push(life(promote="manual", canary_percent=25), "gs://b/two")
    rows = json.loads(endpoint("status", str(config), "--json"))["deployed"]
    assert [(row["version"], row["role"], row["percent"]) for row in rows] == [
        ("1", "champion", 75),
        ("2", "candidate", 25),
    ]
    assert endpoint("promote", str(config), "--now") == "version 2 answers every request.\n"
    assert endpoint("rollback", str(config)) == "version 1 answers every request.\n"
    assert endpoint("status", str(config)).startswith("   1  100 %  1 x n1-standard-4  since ")
