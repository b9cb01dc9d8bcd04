"""The GitHub client against a loopback server: the same calls, refusals and faults as the real one."""

import pytest

from segpipe.cicd import github
from segpipe.cicd.github import GitHub
from segpipe.errors import RunError, UserError
from tests.servers.github import Fault, LoopbackGitHub

BOT_TOKEN, READER = "bot-token", "reader-token"
MARKER = "<!-- segpipe verdict configs/demo.toml -->"


@pytest.fixture
def server():
    with LoopbackGitHub() as server:
        everything = {"pull-requests": "write", "checks": "write", "actions": "write", "contents": "write"}
        server.tokens = {BOT_TOKEN: (github.BOT, everything), READER: (github.BOT, {"pull-requests": "read"})}
        server.pulls[7] = {"ref": "better-model", "sha": "a" * 40, "full_name": "owner/repo"}
        yield server


def client(server, token=BOT_TOKEN, waits=None):
    waited = waits if waits is not None else []
    return GitHub(server.api_url, server.repository, token, sleep=waited.append)


def test_a_second_verdict_replaces_the_first_comment(server):
    first = client(server).upsert_comment(7, MARKER, "first")
    second = client(server).upsert_comment(7, MARKER, "second")
    assert first == second
    assert [comment["body"] for comment in server.comments] == [f"{MARKER}\nsecond"]


def test_the_comment_is_found_behind_a_hundred_others(server):
    for number in range(150):
        server.add_comment(7, "somebody", f"comment {number}")
    server.add_comment(7, github.BOT, f"{MARKER}\nold")
    client(server).upsert_comment(7, MARKER, "new")
    assert server.comments[-1]["body"] == f"{MARKER}\nnew"
    assert len(server.comments) == 151


def test_another_persons_comment_with_the_marker_is_left_alone(server):
    server.add_comment(7, "mallory", f"{MARKER}\nmine")
    client(server).upsert_comment(7, MARKER, "new")
    assert [comment["body"] for comment in server.comments] == [f"{MARKER}\nmine", f"{MARKER}\nnew"]


def test_the_comment_of_another_config_is_left_alone(server):
    client(server).upsert_comment(7, MARKER, "demo")
    client(server).upsert_comment(7, "<!-- segpipe verdict configs/pets.toml -->", "pets")
    assert len(server.comments) == 2


def test_a_text_that_is_too_long_is_cut_and_says_so(server):
    client(server).upsert_comment(7, MARKER, "x" * 100_000)
    client(server).create_check("a" * 40, "verdict", "success", "fine", "x" * 100_000)
    assert server.comments[0]["body"].endswith("has the whole.")
    assert server.checks[0]["output"]["summary"].endswith("has the whole.")


def test_a_check_carries_conclusion_title_and_link(server):
    client(server).create_check("a" * 40, "verdict", "failure", "Not blessed", "why", "https://report.example")
    [check] = server.checks
    assert (check["conclusion"], check["output"]["title"], check["status"], check["details_url"]) == (
        "failure",
        "Not blessed",
        "completed",
        "https://report.example",
    )


def test_every_picture_that_was_stored_stays_where_it_was(server):
    first = client(server).store("pictures", {"worst-1.jpg": b"\xff\xd8 first"}, "first")
    second = client(server).store("pictures", {"worst-1.jpg": b"second", "worst-2.jpg": b"too"}, "second")
    assert server.file(first["worst-1.jpg"]) == b"\xff\xd8 first"
    assert [server.file(url) for url in second.values()] == [b"second", b"too"]
    assert list(server.branches) == ["pictures"]


def test_a_branch_whose_name_begins_alike_is_another(server):
    client(server).store("pictures-of-mine", {"a": b"a"}, "mine")
    mine = server.branches["pictures-of-mine"]
    client(server).store("pictures", {"b": b"b"}, "other")
    assert server.branches["pictures-of-mine"] == mine
    assert set(server.branches) == {"pictures-of-mine", "pictures"}


def test_a_job_that_stores_meanwhile_is_not_written_over(server):
    client(server).store("pictures", {"a": b"a"}, "before")
    client(server).store("elsewhere", {"b": b"b"}, "another's")
    theirs = server.branches["elsewhere"]

    def another_is_quicker(number, method, path):
        if method == "PATCH" and not waits:
            server.branches["pictures"] = theirs

    server.faults = another_is_quicker
    waits: list[float] = []
    stored = client(server, waits=waits).store("pictures", {"c": b"c"}, "ours")
    assert server.file(stored["c"]) == b"c"
    assert server.parents(server.branches["pictures"]) == [theirs]
    assert waits == [1]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_that_recovers_is_asked_again(server, status):
    server.faults = lambda number, method, path: Fault(status) if number < 2 else None
    waits: list[float] = []
    assert client(server, waits=waits).pull(7)["head"]["ref"] == "better-model"
    assert waits == [2.0, 4.0]


def test_a_cut_connection_is_tried_again(server):
    server.faults = lambda number, method, path: Fault(0) if number == 0 else None
    assert client(server).pull(7)["number"] == 7


def test_a_rate_limit_is_waited_for_as_long_as_it_asks(server):
    server.faults = lambda number, method, path: Fault(429, {"Retry-After": "17"}) if number == 0 else None
    waits: list[float] = []
    client(server, waits=waits).create_check("a" * 40, "verdict", "success", "fine", "text")
    assert waits == [17.0]
    assert len(server.checks) == 1


def test_a_dispatch_that_may_have_worked_is_not_sent_twice(server):
    server.workflows["train.yml"] = {"config"}
    server.faults = lambda number, method, path: Fault(502, after=True)
    with pytest.raises(RunError, match="GitHub answered 502 to POST actions/workflows/train"):
        client(server).dispatch("train.yml", "main", {"config": "configs/demo.toml"})
    assert len(server.dispatches) == 1


def test_a_server_that_stays_down_is_given_up_after_five_tries(server):
    server.faults = lambda number, method, path: Fault(503)
    with pytest.raises(RunError, match="503"):
        client(server).pull(7)
    assert len(server.requests) == 5


@pytest.mark.parametrize(
    ("token", "call", "message"),
    [
        ("wrong", lambda g: g.pull(7), "401 .*the token is not valid here"),
        (READER, lambda g: g.upsert_comment(7, MARKER, "x"), "403 .*lacks a permission; see the job's `permissions`"),
        (BOT_TOKEN, lambda g: g.pull(8), "404 .*it does not exist, or the token may not see it"),
        (BOT_TOKEN, lambda g: g.dispatch("none.yml", "main", {}), "404"),
    ],
)
def test_a_refusal_is_one_sentence_that_says_what_to_do(server, token, call, message):
    with pytest.raises(RunError, match=message):
        call(client(server, token))


def test_a_refusal_is_not_tried_again(server):
    with pytest.raises(RunError):
        client(server, "wrong").pull(7)
    assert len(server.requests) == 1


def test_the_token_is_in_no_message_and_no_repr(server):
    assert "wrong-secret" not in repr(client(server, "wrong-secret"))
    with pytest.raises(RunError) as error:
        client(server, "wrong-secret").pull(7)
    assert "wrong-secret" not in str(error.value)


@pytest.mark.parametrize(("permission", "may"), [("admin", True), ("write", True), ("read", False), ("none", False)])
def test_who_may_write(server, permission, may):
    server.collaborators["alice"] = permission
    assert client(server).may_write("alice") is may


def test_missing_environment_is_named():
    with pytest.raises(UserError, match="GITHUB_REPOSITORY and GITHUB_TOKEN must be set"):
        GitHub.from_environment({})
    with pytest.raises(UserError, match="must be an http address"):
        GitHub.from_environment(
            {"GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "file:///etc/passwd"}
        )
