"""`segpipe ci …`: does a change make a better model, and what a pull request is told about it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from segpipe import config as config_module
from segpipe.errors import UserError

NOT_BLESSED = 3

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Judge a change by the model that it makes.")


@app.command("verdict")
def verdict(
    config: Annotated[
        str, typer.Argument(help="The TOML file of the run, as committed.", metavar="[CONFIG]")
    ] = "configs/demo.toml",
    base: Annotated[str, typer.Option(help="Revision whose model is to be beaten; '' for none.")] = "main",
    head: Annotated[str, typer.Option(help="Revision to judge.")] = "HEAD",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for both runs, the verdict and the report.")] = Path(
        "runs/verdict"
    ),
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, for both.")
    ] = None,
) -> None:
    """Train both revisions here and print the verdict's Markdown; exit 3 where the change is not blessed."""
    from segpipe.cicd.compare import compare

    def say(line: str) -> None:
        typer.echo(line, err=True)

    judged = compare(Path.cwd(), config, base, head, out, overrides or (), say)
    judged.write(out)
    typer.echo(judged.markdown)
    say(f"{judged.title}. Verdict: {os.path.relpath(out / 'verdict.md')}")
    if judged.conclusion == "failure":
        sys.exit(1 if judged.blessed is None else NOT_BLESSED)


@app.command("submitted")
def submitted(
    page: Annotated[str, typer.Argument(help="Address of the run, as `segpipe submit` prints it.")],
    config: Annotated[str, typer.Option(help="The TOML file of the run.")],
    commit: Annotated[str, typer.Option(envvar="GITHUB_SHA", help="That ran; HEAD if left out.")] = "HEAD",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the verdict.")] = Path("runs/verdict"),
) -> None:
    """Print the verdict of a run on Vertex AI that came to its end; exit 3 where the model is not blessed."""
    settings = config_module.load(Path(config))
    from segpipe.cicd.compare import resolve
    from segpipe.cicd.submitted import read
    from segpipe.cicd.verdict import Change

    judged = read(page, settings, Change(config, resolve(Path.cwd(), commit), page=page), out / "evaluation")
    judged.write(out)
    typer.echo(judged.markdown)
    if not judged.blessed:
        sys.exit(NOT_BLESSED)


@app.command("report")
def report(
    pull: Annotated[int, typer.Option(envvar="PULL", help="Number of the pull request.")],
    folder: Annotated[Path, typer.Argument(help="What `ci verdict` wrote.", metavar="[FOLDER]")] = Path("runs/verdict"),
    commit: Annotated[str, typer.Option(envvar="HEAD_SHA", help="To put the check on; the latest if left out.")] = "",
    report_url: Annotated[str, typer.Option(envvar="REPORT_URL", help="Where the report's page is.")] = "",
    run_url: Annotated[str, typer.Option(envvar="RUN_URL", help="Where the log is.")] = "",
) -> None:
    """Put a verdict on a pull request: a comment and a check. Needs GITHUB_REPOSITORY and GITHUB_TOKEN."""
    from segpipe.cicd.github import GitHub
    from segpipe.cicd.post import post

    if not (folder / "verdict.json").is_file():
        raise UserError(f"no verdict in {folder}; `segpipe ci verdict` writes one.")
    github = GitHub.from_environment(os.environ)
    typer.echo(post(folder, github, pull, commit, report_url=report_url, run_url=run_url))


@app.command("compile")
def compile_(
    configs: Annotated[list[Path], typer.Argument(help="TOML files.", metavar="CONFIG…")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the compiled files.")] = Path("runs/compiled"),
) -> None:
    """Compile every config for every target: Vertex AI without and with Dataflow, Kubeflow. Submits nothing."""
    from segpipe.cicd.compiled import compile_all

    for file in compile_all(configs, out):
        typer.echo(str(file))
