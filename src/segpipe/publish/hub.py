"""Pushes a plan to the Hugging Face Hub: complete before it can be seen, once however often it is tried.

The files go to a staging branch in one commit. Only when that commit stands does the version's branch appear, at it;
then `main` takes the same files in one commit, the tag moves, and the Space is pinned to the version's commit. Every
step first looks at what is there, so that a second run continues where the first one broke.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RevisionNotFoundError

from segpipe import progress
from segpipe.errors import UserError
from segpipe.publish import access_token
from segpipe.publish.files import File
from segpipe.publish.plan import Plan, Published, is_owned, newest
from segpipe.publish.retry import Retry
from segpipe.publish.space.plan import ModelRevision, SpacePlan

Result = TypeVar("Result")
STEPS = 5


@dataclass(frozen=True)
class HuggingFace:
    """The Hub at `endpoint`, entered with the token that `token` names."""

    endpoint: str = "https://huggingface.co"
    token: str = "env:HF_TOKEN"  # noqa: S105
    retry: Retry = field(default_factory=Retry)

    def publish(self, plan: Plan) -> Published:
        """Publishes one version; a version that is there already is left as it is, or completed.

        Raises:
          UserError: the token or the names are wrong, or a private model would land in a public repository.
          RunError: the Hub kept failing; running again continues.
        """
        model = _Repository(self, plan.repo_id, "model")
        progress.report("repository", 0, STEPS)
        model.create(plan.private)
        progress.report(f"version {plan.version}", 1, STEPS)
        commit_id = model.do(lambda: _publish_version(model, plan))
        url = f"{self.endpoint}/{plan.repo_id}/tree/{plan.version}"
        is_newest = newest(model.do(model.branches)) == plan.version
        space_url = ""
        if is_newest:
            progress.report("main and tag", 2, STEPS)
            model.do(lambda: _move_main(model, plan))
            model.do(lambda: _move_tag(model, plan.tag, commit_id))
        model.do(lambda: model.delete_branch(_staging(plan)))
        if plan.space is not None:
            progress.report("space", 3, STEPS)
            space_url = f"{self.endpoint}/spaces/{plan.space.repo_id}"
            if is_newest:
                self._publish_space(plan.space, ModelRevision(plan.repo_id, plan.version, commit_id, url), plan.private)
        progress.report("published", STEPS, STEPS)
        return Published(plan.version, plan.repo_id, plan.version, commit_id, url, space_url, is_newest)

    def _publish_space(self, space: SpacePlan, model: ModelRevision, private: bool) -> None:
        repository = _Repository(self, space.repo_id, "space")
        repository.create(private, "gradio" if space.sdk == "gradio" else "docker")
        files = space.render(model)
        message = f"Show {model.repo_id} {model.version}"
        repository.do(lambda: repository.commit("main", files, message, lambda path: path != ".gitattributes"))


class _Repository:
    """One repository on the Hub, through the real client; a token is read once for each."""

    def __init__(self, hub: HuggingFace, repo_id: str, kind: str) -> None:
        self._hub, self.repo_id, self.kind = hub, repo_id, kind
        resource = repo_id if kind == "model" else f"spaces/{repo_id}"
        token = self.do(lambda: access_token.read(hub.token, resource, hub.endpoint))
        self.api = HfApi(endpoint=hub.endpoint, token=token, library_name="segpipe")

    def do(self, step: Callable[[], Result]) -> Result:
        """Runs a step under the hub's retry."""
        return self._hub.retry.run(step, self.repo_id, self._hub.token)

    def create(self, private: bool, space_sdk: str | None = None) -> None:
        """Creates the repository unless it is there."""

        def step() -> None:
            self.api.create_repo(
                self.repo_id, repo_type=self.kind, private=private or None, exist_ok=True, space_sdk=space_sdk
            )
            if private and not self.api.repo_info(self.repo_id, repo_type=self.kind).private:
                raise UserError(
                    f"hub.private is true, but {self.repo_id} is public; make it private on the Hub, or name another."
                )

        self.do(step)

    def branches(self) -> dict[str, str]:
        """Branch name → commit."""
        refs = self.api.list_repo_refs(self.repo_id, repo_type=self.kind)
        return {ref.name: ref.target_commit for ref in refs.branches}

    def tags(self) -> dict[str, str]:
        """Tag name → commit."""
        refs = self.api.list_repo_refs(self.repo_id, repo_type=self.kind)
        return {ref.name: ref.target_commit for ref in refs.tags}

    def commit(
        self, branch: str, files: Sequence[File], message: str, owned: Callable[[str], bool], parent: str | None = None
    ) -> str:
        """Makes the owned part of a branch exactly `files`, in one commit or, where it is so already, in none.

        Returns:
          The commit that the branch is at.
        """
        present = self.api.list_repo_tree(self.repo_id, repo_type=self.kind, revision=branch, recursive=True)
        wanted = {file.path for file in files}
        stale = [entry.path for entry in present if hasattr(entry, "blob_id") and owned(entry.path)]
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(CommitOperationAdd(file.path, file.source) for file in files),
            *(CommitOperationDelete(path) for path in stale if path not in wanted),
        ]
        return self.api.create_commit(
            self.repo_id, operations, commit_message=message, repo_type=self.kind, revision=branch, parent_commit=parent
        ).oid

    def delete_branch(self, branch: str) -> None:
        """Deletes a branch unless it is gone."""
        if branch in self.branches():
            try:
                self.api.delete_branch(self.repo_id, branch=branch, repo_type=self.kind)
            except RevisionNotFoundError:
                return


def _staging(plan: Plan) -> str:
    return f"upload-{plan.version}"


def _publish_version(model: _Repository, plan: Plan) -> str:
    """The commit of the version's branch, which holds the plan's files and never held others."""
    message = f"Publish {plan.version}"
    branches = model.branches()
    if plan.version in branches:
        return model.commit(plan.version, plan.files, message, is_owned)
    staging = _staging(plan)
    if staging not in branches:
        model.api.create_branch(plan.repo_id, branch=staging, revision=branches["main"])
    commit_id = model.commit(staging, plan.files, message, is_owned)
    model.api.create_branch(plan.repo_id, branch=plan.version, revision=commit_id)
    return commit_id


def _move_main(model: _Repository, plan: Plan) -> None:
    """Gives main the plan's files; if somebody else commits meanwhile, the Hub refuses (412) and we look again."""
    head = model.branches()["main"]
    model.commit("main", plan.files, f"Publish {plan.version}", is_owned, parent=head)


def _move_tag(model: _Repository, tag: str, commit_id: str) -> None:
    """Points the tag at the version; the Hub cannot move one, so it is missing for the time of one request."""
    target = model.tags().get(tag)
    if target == commit_id:
        return
    if target is not None:
        model.api.delete_tag(model.repo_id, tag=tag)
    model.api.create_tag(model.repo_id, tag=tag, revision=commit_id)
