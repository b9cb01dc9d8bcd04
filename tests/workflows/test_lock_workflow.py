"""The weekly lock: made by `make lock`, proposed as a pull request, and proven by CI on its branch."""


def test_newer_packages_become_a_pull_request(forge):
    (forge.root / "src/model.txt").write_text("0.6")
    forge.commit()
    finished = forge.run("schedule", "lock.yml")
    assert finished.succeeded, finished.output
    calls = [line.split("\t") for line in forge.log]
    assert [name for name, _ in calls] == ["uv", "peter-evans/create-pull-request", "gh"]
    assert "--generate-hashes" in calls[0][1]
    assert calls[2][1] == "workflow run ci.yml --ref refresh-lock"
