"""Writes the page of a run that its data stopped: the sentences, and a contact sheet of the pictures."""

from collections.abc import Sequence
from pathlib import Path

from segpipe.evaluate.report_page import environment
from segpipe.ingest.bad_picture import Offender
from segpipe.io import atomic


def write_stopped(name: str, when: str, error: str, offenders: Sequence[Offender], path: Path) -> None:
    """Writes the page, whole or not at all.

    Args:
      name: of the run.
      when: it started.
      error: what the run said.
      offenders: the pictures that caused it.
      path: of the HTML file; its folder is made.
    """
    page = environment().get_template("stopped.html.j2").render(name=name, when=when, error=error, offenders=offenders)
    atomic.write_text(path, page)
