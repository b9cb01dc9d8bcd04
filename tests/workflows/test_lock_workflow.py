"""The weekly lock: made by `make lock`, proposed as a pull request, and proven by CI on its branch."""

from tests.workflows.act import runs


@runs("lock.yml/lock")
def test_newer_packages_become_a_pull_request(forge):
    (forge.root / "src/model.txt").write_text("0.6")
    forge.commit()
    finished = forge.run("schedule", "lock.yml")
    assert finished.succeeded, finished.output
    calls = [line.split("\t") for line in forge.log]
    assert [name for name, _ in calls] == ["uv", "uv", "uv", "peter-evans/create-pull-request", "gh"]
    assert all("--generate-hashes" in arguments for _, arguments in calls[:3])
    assert ["--constraint requirements.lock" in arguments for _, arguments in calls[:3]] == [False, True, True]
    assert calls[4][1] == "workflow run ci.yml --ref refresh-lock"
