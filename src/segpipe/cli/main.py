"""The `segpipe` command: calls a verb and ends with one line and an exit status.

Exit status: 0 done (and blessed), 1 a failure, 2 the user's input is wrong, 3 done and not blessed.
"""

import gc
import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from segpipe import tensorflow_settings
from segpipe.cli import app as app_verb
from segpipe.cli import (
    ci,
    compile,
    doctor,
    drill,
    endpoint,
    evaluate,
    init,
    predict,
    prepare,
    publish,
    replay,
    report,
    run,
    runs,
    serve,
    submit,
    watch,
)  # fmt: skip
from segpipe.errors import SegpipeError, UserError

app = typer.Typer(
    name="segpipe",
    help="From a folder of images and masks to a gated, deployed segmentation model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("prepare")(prepare.prepare)
app.command("run")(run.run)
app.add_typer(runs.app, name="runs")
app.command("report")(report.report)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("serve")(serve.serve)
app.command("watch")(watch.watch)
app.command("replay")(replay.replay)
app.command("drill")(drill.drill)
app.command("publish")(publish.publish)
app.command("app")(app_verb.app)
app.command("compile")(compile.compile_)
app.command("submit")(submit.submit)
app.command("doctor")(doctor.doctor)
app.add_typer(endpoint.app, name="endpoint")
app.add_typer(ci.app, name="ci")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("segpipe"))
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # These are read by an import that no verb has done yet.
    tensorflow_settings.apply()
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Its import would look for garbage a thousand times, and find none.
    gc.set_threshold(10_000)
    # Vertex AI's client logs to stdout, where programs read, unless its logger has a handler when it is imported.
    warnings = logging.StreamHandler()
    warnings.setLevel(logging.WARNING)
    logging.getLogger("google.cloud.aiplatform").addHandler(warnings)


INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def main() -> NoReturn:
    """Runs the command line and exits; an error that segpipe raises on purpose is one line, never a traceback."""
    try:
        status = app(standalone_mode=False) or 0
        if status == INTERRUPTED:  # Typer's answer to Ctrl-C.
            _fail("stopped; the same command continues.", INTERRUPTED)
        sys.exit(status)
    except typer.Exit as finished:
        sys.exit(finished.exit_code)
    except typer.Abort:
        _fail("stopped.", INTERRUPTED)
    except KeyboardInterrupt:
        _fail("stopped; the same command continues.", INTERRUPTED)
    except UserError as error:
        _fail(str(error), 2)
    except SegpipeError as error:
        _fail(str(error), 1)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        if not error.filename:
            raise
        _fail(f"{error.filename} cannot be used: {error.strerror}. Name another path, or change what is there.", 2)
    except Exception as error:
        # Typer's own usage errors know how to print themselves; anything else is a bug worth a traceback.
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()
        sys.exit(error.exit_code)


def _fail(message: str, exit_code: int) -> NoReturn:
    typer.echo(f"segpipe: {message}", err=True)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
