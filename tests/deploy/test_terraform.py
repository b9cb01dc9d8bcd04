"""deploy/*.tf, read by a parser of Terraform's language: what it makes is what the code asks of a project."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import pytest

from segpipe.config.vertex import Vertex
from segpipe.pipeline.vertex import doctor

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy").glob("*.tf"))


@pytest.fixture(scope="module")
def blocks() -> dict[str, list[Any]]:
    """Every block of the files, by kind: resource, variable, output, locals …"""
    found: dict[str, list[Any]] = {}
    for path in FILES:
        for kind, entries in hcl2.loads(path.read_text()).items():
            found.setdefault(kind, []).extend(entries)
    return found


def resources(blocks: dict[str, list[Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(type, name, body) of every resource."""
    for block in blocks["resource"]:
        [(kind, named)] = block.items()
        [(name, body)] = named.items()
        yield kind.strip('"'), name.strip('"'), body


def roles(blocks: dict[str, list[Any]], member: str, kind: str) -> set[str]:
    """Roles that a service account gets by resources of one type."""
    bodies = [json.dumps(body) for one, _, body in resources(blocks) if one == kind]
    return {role for body in bodies if f"account.{member}.member" in body for role in re.findall(r"roles/[\w.]+", body)}


def test_the_account_of_the_steps_gets_the_roles_that_doctor_looks_for_where_it_looks(blocks) -> None:
    project, bucket, images, account, secret = (
        roles(blocks, "pipeline", f"google_{kind}_iam_member")
        for kind in (
            "project", "storage_bucket", "artifact_registry_repository", "service_account", "secret_manager_secret",
        )
    )  # fmt: skip
    assert project == {*doctor._ROLES, *doctor._DATAFLOW_ROLES}
    assert bucket == set(doctor._BUCKET_ROLES)
    assert images == set(doctor._IMAGE_ROLES)
    assert account == set(doctor._ACCOUNT_ROLES)
    assert secret == set(doctor._SECRET_ROLES)


def test_the_services_that_doctor_looks_for_are_switched_on(blocks) -> None:
    on = set(re.findall(r"[\w.]+\.googleapis\.com", json.dumps(blocks["locals"])))
    assert {*doctor._SERVICES, "dataflow.googleapis.com", "secretmanager.googleapis.com"} <= on


def test_nobody_gets_a_key_or_a_role_over_everything(blocks) -> None:
    kinds = {kind for kind, _, _ in resources(blocks)}
    assert "google_service_account_key" not in kinds
    assert "google_secret_manager_secret_version" not in kinds, "a secret's value would be in the state file"
    text = json.dumps(blocks)
    assert not re.search(r"roles/(owner|editor|viewer|iam\.securityAdmin|\w+\.admin)\b|allUsers|allAuthenticated", text)


def test_the_job_that_keeps_the_hubs_token_may_add_it_and_read_nothing(blocks) -> None:
    granted = roles(blocks, "submitter", "google_secret_manager_secret_iam_member")
    assert granted == {"roles/secretmanager.secretVersionAdder"}


def test_a_job_of_github_becomes_the_account_of_its_environment_only(blocks) -> None:
    found = {(kind, name): body for kind, name, body in resources(blocks)}
    binding = found["google_service_account_iam_member", "github"]
    assert "environment:${each.key}" in json.dumps(binding["member"])
    assert "principalSet" not in json.dumps(binding), "every job of the repository would be let in"
    provider = json.dumps(found["google_iam_workload_identity_pool_provider", "github"]["attribute_condition"])
    environments = set(re.findall(r"repo:\$\{local\.repository\}:environment:(\w+)", provider))
    workflows = "".join(path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml"))
    assert environments == {"production", "monitoring"}
    assert all(f"environment: {name}" in workflows for name in environments)


def test_the_section_that_terraform_prints_is_one_of_a_config(blocks) -> None:
    [output] = [block['"vertex_section"'] for block in blocks["output"] if '"vertex_section"' in block]
    text = output["value"].strip('"').removeprefix("<<-TOML").removesuffix("TOML")
    values = {"var.project": "my-project", "var.region": "us-central1", "google_storage_bucket.runs.url": "gs://bucket",
              "google_service_account.pipeline.email": "a@my-project.iam.gserviceaccount.com"}  # fmt: skip
    filled = re.sub(r"\$\{([\w.]+)\}", lambda name: values[name[1]], text)
    section = Vertex.model_validate(tomllib.loads(filled)["vertex"])
    assert section.pipeline_root == "gs://bucket/runs"


def test_every_variable_is_used_and_told_what_it_is(blocks) -> None:
    text = "".join(path.read_text() for path in FILES)
    for variable in blocks["variable"]:
        [(name, body)] = variable.items()
        assert f"var.{name.strip(chr(34))}" in text
        assert body["description"]
