"""Posts a verdict as a comment and a check on its pull request.

`segpipe ci report` calls this, and so does `python3 -m segpipe.cicd.post`, which needs no installed package: the job
that holds the token with write access runs nothing but this repository's own code.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from segpipe.cicd.github import GitHub
from segpipe.errors import RunError, SegpipeError, UserError

CHECK = "segpipe verdict"
PICTURES_BRANCH = "segpipe-verdicts"
"""A comment shows a picture by its address alone, so pictures need a place; deleting the branch forgets them all."""

NO_VERDICT = "No verdict: the run ended before there was one"


def post(
    folder: Path, github: GitHub, pull: int, commit: str = "", config: str = "", report_url: str = "", run_url: str = ""
) -> str:
    """Puts the verdict on a pull request: one comment and one check for each config; the comment is never repeated.

    Args:
      folder: with verdict.md, verdict.json and the pictures that it names; where they are missing the comment says that
        the run ended before.
      github: the repository.
      pull: number of the pull request.
      commit: to put the check on; the pull request's latest where it is empty.
      config: tells several of them apart; that of verdict.json where it is empty.
      report_url: of the run's page.
      run_url: of the job's log.

    Returns:
      The comment's address.
    """
    conclusion, title, markdown = "failure", NO_VERDICT, f"### ❌ {NO_VERDICT}\n"
    if (folder / "verdict.json").is_file():
        verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
        conclusion, title = verdict["conclusion"], verdict["title"]
        markdown = (folder / "verdict.md").read_text(encoding="utf-8")
        config = config or verdict["change"]["config"]
        markdown += _pictures(folder, verdict.get("pictures", ()), github, f"The worst pictures of #{pull}")
    links = {"Report": report_url, "Log": run_url}
    markdown += "\n" + " · ".join(f"[{text}]({url})" for text, url in links.items() if url)
    commit = commit or github.pull(pull)["head"]["sha"]
    github.create_check(commit, f"{CHECK} {config}".rstrip(), conclusion, title, markdown, report_url or run_url)
    return github.upsert_comment(pull, f"<!-- segpipe verdict {_plain(config)} -->", markdown)


def _pictures(folder: Path, pictures: Sequence[Mapping[str, str]], github: GitHub, message: str) -> str:
    """The part of the comment that shows them; where GitHub does not take them, the sentence that says why."""
    captions = {Path(one["file"]).name: one["caption"] for one in pictures}
    files = {name: (folder / name).read_bytes() for name in captions if (folder / name).is_file()}
    if not files:
        return ""
    try:
        urls = github.store(PICTURES_BRANCH, files, message)
    except RunError as error:
        return f"\n> The worst pictures could not be put into the branch `{PICTURES_BRANCH}`: {error}\n"
    shown = [f"{captions[name]}\n\n![{captions[name]}]({url})\n" for name, url in urls.items()]
    return "\n".join(["\n**The worst test pictures**: picture, truth, prediction, errors in red\n", *shown])


def main(environment: Mapping[str, str]) -> int:
    """Posts what the environment names: VERDICT_DIR, PULL, HEAD_SHA, CONFIG, REPORT_URL, RUN_URL, and GitHub's own."""
    try:
        pull = environment.get("PULL", "")
        if not pull.isdigit():
            raise UserError(f"PULL must be the number of a pull request, got {pull!r}.")
        optional = {name: environment.get(name, "") for name in ("HEAD_SHA", "CONFIG", "REPORT_URL", "RUN_URL")}
        github = GitHub.from_environment(environment)
        print(post(Path(environment.get("VERDICT_DIR", "verdict")), github, int(pull), *optional.values()))  # noqa: T201
    except SegpipeError as error:
        print(f"segpipe: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, UserError) else 1
    return 0


def _plain(config: str) -> str:
    return "".join(c for c in config if c.isalnum() or c in "/._-").replace("--", "-")


if __name__ == "__main__":
    sys.exit(main(os.environ))
