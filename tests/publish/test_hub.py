import time

import pytest
from huggingface_hub import HfApi

from segpipe.errors import RunError, UserError
from segpipe.publish.files import File
from segpipe.publish.hub import HuggingFace
from segpipe.publish.retry import Retry
from segpipe.publish.space.plan import SpacePlan
from tests.publish.plans import CARD, TOKEN, plan
from tests.servers.hub import Fault, LoopbackHub

MODEL_PATHS = {"saved_model.pb", "variables/variables.data-00000-of-00001", "assets.extra/segpipe.json", "README.md"}


def contents(hub: LoopbackHub, revision: str) -> dict[str, bytes]:
    commit = hub.repo("me/pets").find(revision)
    return {path: hub.store.content(blob) for path, blob in commit.tree.items() if path != ".gitattributes"}


def assert_one_finished_version(hub: LoopbackHub) -> None:
    repo = hub.repo("me/pets")
    expected = {file.path: file.read() for file in plan().files}
    assert set(repo.branches) == {"main", "v100"}
    assert contents(hub, "v100") == contents(hub, "main") == expected
    assert repo.tags == {"latest": repo.branches["v100"]}
    titles = [commit.title for commit in repo.commits.values()]
    assert titles == ["initial commit", "Publish v100", "Publish v100"]  # one on the version's branch, one on main
    space = hub.repo("me/pets", "space")
    assert [commit.title for commit in space.commits.values()] == ["initial commit", "Show me/pets v100"]
    assert repo.branches["v100"].encode() in hub.store.content(space.find("main").tree["app.py"])


def assert_nothing_half_visible(hub: LoopbackHub) -> None:
    repo = hub.store.repos.get(("model", "me/pets"))
    if repo is None:
        return
    for branch in repo.branches:
        if branch.startswith("v"):
            assert repo.paths(branch) >= MODEL_PATHS
    assert repo.paths("main") & MODEL_PATHS in (set(), MODEL_PATHS)
    for commit in repo.tags.values():
        assert commit == repo.branches["v100"]


def test_publishes_version_main_tag_and_space(loopback: LoopbackHub, client: HuggingFace):
    published = client.publish(plan())
    assert_one_finished_version(loopback)
    repo = loopback.repo("me/pets")
    assert published.pushed_version == published.branch == "v100"
    assert published.commit_id == repo.branches["v100"]
    assert published.repo_url == f"{loopback.endpoint}/me/pets/tree/v100"
    assert published.space_url == f"{loopback.endpoint}/spaces/me/pets"
    assert loopback.repo("me/pets", "space").sdk == "gradio"


def test_a_second_publish_of_the_same_version_changes_nothing(loopback: LoopbackHub, client: HuggingFace):
    first = client.publish(plan())
    uploaded = loopback.uploaded_bytes
    assert client.publish(plan()) == first
    assert_one_finished_version(loopback)
    assert loopback.uploaded_bytes == uploaded


REQUESTS = 29  # of one publish, so that each gets its own failing run; the next test holds the number


def test_the_number_of_requests(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan())
    assert len(loopback.requests) == REQUESTS, loopback.requests


@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_publish_that_dies_at_any_request_is_completed_by_the_next(loopback, client, number: int):
    loopback.faults = lambda n, method, path: Fault(403) if n >= number else None
    with pytest.raises(UserError):
        client.publish(plan())
    assert_nothing_half_visible(loopback)
    loopback.faults = lambda n, method, path: None
    client.publish(plan())
    assert_one_finished_version(loopback)


UPDATE_REQUESTS = 28  # of the publish of a second version


def test_the_number_of_requests_of_an_update(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan("v100"))
    before = len(loopback.requests)
    client.publish(plan("v200", weights=b"\0new"))
    assert len(loopback.requests) - before == UPDATE_REQUESTS, loopback.requests


@pytest.mark.parametrize("number", range(UPDATE_REQUESTS))
def test_an_update_that_dies_at_any_request_shows_the_old_version_or_the_new(loopback, client, number: int):
    client.publish(plan("v100"))
    old, repo = contents(loopback, "v100"), loopback.repo("me/pets")
    update = plan("v200", weights=b"\0new")
    new = {file.path: file.read() for file in update.files}
    before = len(loopback.requests)
    loopback.faults = lambda n, method, path: Fault(403) if n >= before + number else None
    with pytest.raises(UserError):
        client.publish(update)
    assert contents(loopback, "v100") == old
    assert contents(loopback, "main") in (old, new)
    assert "v200" not in repo.branches or contents(loopback, "v200") == new
    assert set(repo.tags.values()) <= {repo.branches.get("v100"), repo.branches.get("v200")}
    loopback.faults = lambda n, method, path: None
    client.publish(update)
    assert contents(loopback, "v100") == old
    assert contents(loopback, "main") == contents(loopback, "v200") == new
    assert repo.tags == {"latest": repo.branches["v200"]}
    assert set(repo.branches) == {"main", "v100", "v200"}
    space = loopback.repo("me/pets", "space")
    assert [commit.title for commit in space.commits.values()][1:] == ["Show me/pets v100", "Show me/pets v200"]
    assert repo.branches["v200"].encode() in loopback.store.content(space.find("main").tree["app.py"])


@pytest.mark.parametrize("fault", [Fault(503), Fault(0), Fault(503, after=True), Fault(0, after=True)], ids=str)
@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.slow
def test_one_failure_of_any_request_is_ridden_out(loopback, client, number: int, fault: Fault):
    loopback.faults = lambda n, method, path: fault if n == number else None
    client.publish(plan())
    assert_one_finished_version(loopback)


def test_a_new_version_uploads_only_what_changed(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan("v100"))
    uploaded = loopback.uploaded_bytes
    files = plan().files
    same_weights = (*[f for f in files if f.path != "README.md"], File("README.md", CARD + b"\nBetter.\n"))
    client.publish(plan("v200", files=same_weights))
    assert loopback.uploaded_bytes == uploaded
    assert contents(loopback, "main")["README.md"].endswith(b"Better.\n")
    assert not contents(loopback, "v100")["README.md"].endswith(b"Better.\n")


def test_large_files_travel_in_parts(loopback: LoopbackHub, client: HuggingFace):
    loopback.multipart_bytes = 3000
    client.publish(plan())
    assert contents(loopback, "v100")["variables/variables.data-00000-of-00001"] == b"\0weights" * 1000
    assert loopback.uploaded_bytes == 8000 + len(b"graph")  # saved_model.pb is large by its name


def test_stale_files_go_and_what_people_added_stays(loopback: LoopbackHub, client: HuggingFace):
    loopback.page_size = 3  # the tree comes in pages
    client.publish(plan("v100", files=(*plan().files, File("assets/old-vocabulary.txt", b"old"))))
    HfApi(loopback.endpoint, token=TOKEN).upload_file(
        path_or_fileobj=b"by hand", path_in_repo="LICENSE", repo_id="me/pets"
    )
    client.publish(plan("v200"))
    assert loopback.repo("me/pets").paths("main") == MODEL_PATHS | {"LICENSE", ".gitattributes"}
    assert "assets/old-vocabulary.txt" in loopback.repo("me/pets").paths("v100")


def test_main_never_moves_back_to_an_older_version(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan("v200", weights=b"\0new"))
    published = client.publish(plan("v100", weights=b"\0old"))
    assert not published.is_newest
    assert contents(loopback, "main") == contents(loopback, "v200") != contents(loopback, "v100")
    assert loopback.repo("me/pets").tags == {"latest": loopback.repo("me/pets").branches["v200"]}
    space = loopback.repo("me/pets", "space")
    assert b"v200" in loopback.store.content(space.find("main").tree["app.py"])


def test_versions_are_ordered_as_numbers(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan("v99"))
    assert client.publish(plan("v100")).is_newest


def test_somebody_elses_commit_on_main_is_waited_for(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan("v100"))
    meddled = []

    def meddle(number: int, method: str, path: str) -> None:
        if path.endswith("/commit/main") and not meddled:
            meddled.append(path)
            repo = loopback.repo("me/pets")
            loopback.store.commit(repo, "main", [{"key": "header", "value": {"summary": "meanwhile"}}])

    loopback.faults = meddle
    client.publish(plan("v200", weights=b"\0new"))
    commits = [commit.title for commit in loopback.repo("me/pets").commits.values()]
    assert commits[-2:] == ["meanwhile", "Publish v200"]


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (400, UserError, "the Hub refused me/pets (400): a fault on demand."),
        (401, UserError, "the Hub does not know the token in env:HF_TOKEN (401)"),
        (403, UserError, "the token in env:HF_TOKEN may not write to me/pets (403)"),
        (404, UserError, "the Hub has no me/pets that the token in env:HF_TOKEN can see (404)"),
        (409, RunError, "the Hub is busy with me/pets (409, 3 tries)"),
        (412, RunError, "the Hub keeps changing me/pets (412, 3 tries)"),
        (429, RunError, "the Hub limits this account's requests to me/pets (429, 3 tries)"),
        (500, RunError, "the Hub failed on me/pets (500, 3 tries)"),
    ],
)
def test_each_refusal_is_one_sentence_without_the_token(loopback, client, status: int, kind: type, sentence: str):
    loopback.faults = lambda n, method, path: Fault(status) if "/branch/" in path else None
    with pytest.raises(kind) as caught:
        client.publish(plan())
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_hub_that_hangs_up_every_time_is_reported(loopback: LoopbackHub, client: HuggingFace):
    loopback.faults = lambda n, method, path: Fault(0)
    with pytest.raises(RunError, match="could not be reached for me/pets"):
        client.publish(plan())


@pytest.mark.parametrize(
    ("headers", "longest_s", "waited_s"),
    [
        ({"Retry-After": "1"}, 300, 1),
        ({"RateLimit": '"api";r=0;t=0'}, 300, 1),
        ({"Retry-After": "3600"}, 0.5, 0.5),
    ],
)
def test_waits_as_long_as_the_hub_asks(loopback: LoopbackHub, headers: dict, longest_s: float, waited_s: float):
    asked = []

    def busy_once(number: int, method: str, path: str) -> Fault | None:
        asked.append(time.monotonic())
        return Fault(429, headers=headers) if number == 0 else None

    loopback.faults = busy_once
    HuggingFace(loopback.endpoint, retry=Retry(first_wait_s=0.01, longest_asked_s=longest_s)).publish(plan(space=None))
    assert waited_s <= asked[1] - asked[0] < waited_s + 0.9


def test_an_unknown_token_is_refused_before_anything_is_made(loopback, client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_revoked")
    with pytest.raises(UserError, match=r"does not know the token in env:HF_TOKEN \(401\)"):
        client.publish(plan())
    assert not loopback.store.repos


def test_an_organisation_that_is_not_ours_is_refused(loopback: LoopbackHub, client: HuggingFace):
    with pytest.raises(UserError, match=r"may not write to them/pets \(403\)"):
        client.publish(plan(repo_id="them/pets"))


def test_an_organisation_of_ours_is_served(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan(repo_id="org/pets", space=SpacePlan("org/pets-demo", sdk="streamlit")))
    assert loopback.repo("org/pets-demo", "space").sdk == "docker"
    assert "Dockerfile" in loopback.repo("org/pets-demo", "space").paths()


def test_a_private_model_makes_private_repositories(loopback: LoopbackHub, client: HuggingFace):
    client.publish(plan(private=True))
    assert loopback.repo("me/pets").private
    assert loopback.repo("me/pets", "space").private


def test_a_private_model_never_lands_in_a_public_repository(loopback: LoopbackHub, client: HuggingFace):
    loopback.store.create("model", "me/pets")
    with pytest.raises(UserError, match="me/pets is public"):
        client.publish(plan(private=True))
    assert loopback.repo("me/pets").paths() == {".gitattributes"}


def test_a_card_that_the_hub_would_refuse_is_not_pushed(loopback: LoopbackHub, client: HuggingFace):
    bad = tuple(File("README.md", b"---\nlicense: mine\n---\n") if f.path == "README.md" else f for f in plan().files)
    with pytest.raises(UserError, match="license"):
        client.publish(plan(files=bad))
    assert "v100" not in loopback.repo("me/pets").branches
