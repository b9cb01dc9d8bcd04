"""Judges a change against the run that it is compared with, and writes the verdict as Markdown."""

import json
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import jinja2

from segpipe.cicd.summary import Interval, Scores, Summary
from segpipe.io import atomic

Conclusion = Literal["success", "failure", "neutral"]

_NAMES = {
    "mean_iou": "mean IoU",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_boundary_iou": "mean boundary IoU",
    "calibration_error": "calibration error (less is better)",
}

_ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>\\`*_{}[]()#+!|~"}


@dataclass(frozen=True)
class Change:
    """What is compared.

    Attributes:
      config: the TOML file, as seen from the repository.
      head: 40 hexadecimal digits of the commit that is judged.
      base: of the commit whose model is to be beaten; empty where there is none.
      overrides: of the config, as in ("train.epochs=2",).
      notes: sentences that a reader of the verdict must know.
      page: of the run on Vertex AI that was judged; empty for runs here.
    """

    config: str
    head: str
    base: str = ""
    overrides: Sequence[str] = ()
    notes: Sequence[str] = ()
    page: str = ""

    @property
    def command(self) -> str:
        """What a person types to get the same verdict."""
        if self.page:
            return shlex.join(["segpipe", "ci", "submitted", self.page, "--config", self.config])
        base = ["--base", self.base[:12]] if self.base else ["--base", ""]
        settings = [word for override in self.overrides for word in ("--set", override)]
        return shlex.join(["segpipe", "ci", "verdict", self.config, *base, "--head", self.head[:12], *settings])


@dataclass(frozen=True)
class Row:
    """One number of both models; None where it could not be judged.

    Attributes:
      candidate_interval: how sure the candidate's is; None where nobody counted it.
      difference_interval: how sure the difference is.
    """

    name: str
    candidate: float | None
    champion: float | None
    candidate_interval: Interval | None = None
    difference_interval: Interval | None = None

    @property
    def difference(self) -> float | None:
        """Candidate − champion."""
        return None if self.candidate is None or self.champion is None else self.candidate - self.champion


@dataclass(frozen=True)
class Picture:
    """A picture to look at.

    Attributes:
      file: its name in the verdict's folder.
      caption: Markdown.
      source: where the run has left it.
    """

    file: str
    caption: str
    source: Path


@dataclass(frozen=True)
class Verdict:
    """What is said on the pull request.

    Attributes:
      conclusion: success = blessed; neutral = nothing that could change a model was changed.
      blessed: None where no model was judged.
      title: one line.
      markdown: the whole, less the pictures.
      pictures: the worst of the test split.
    """

    conclusion: Conclusion
    blessed: bool | None
    title: str
    change: Change
    markdown: str = field(repr=False, default="")
    pictures: Sequence[Picture] = ()

    def write(self, folder: Path) -> None:
        """Writes verdict.md for people, verdict.json for `segpipe ci report`, and the pictures."""
        atomic.write_text(folder / "verdict.md", self.markdown)
        for old in folder.glob("worst-*.jpg"):
            old.unlink()
        for picture in self.pictures:
            shutil.copyfile(picture.source, folder / picture.file)
        fields = asdict(self)
        del fields["markdown"]
        fields["pictures"] = [{"file": picture.file, "caption": picture.caption} for picture in self.pictures]
        atomic.write_text(folder / "verdict.json", json.dumps(fields, indent=2) + "\n")


def judge(change: Change, head: Summary, base: Summary | None) -> Verdict:
    """Words the gate's decision on `head`; the gate itself has already decided, in the run.

    Args:
      change: what is compared.
      head: the run of the change.
      base: the run of the commit it is compared with. Its model is the champion where `head` met none, as happens when
        the base's own model is not blessed; the difference is then of two separate evaluations.
    """
    champion = head.champion or (base.candidate if base else None)
    conclusion: Conclusion = "success" if head.blessed else "failure"
    return Verdict(
        conclusion,
        bool(head.blessed),
        _title(head, champion),
        change,
        _render(
            "verdict.md.j2",
            change=change,
            head=head,
            base=base,
            title=_title(head, champion),
            paired=head.champion is not None,
            rows=_rows(head, champion),
            class_rows=_class_rows(head, champion),
            component_rows=_component_rows(head, base),
        ),
        [
            Picture(f"worst-{place}.jpg", f"{escape(one.id)}: mean IoU {_number(one.mean_iou)}", one.picture)
            for place, one in enumerate(head.worst, start=1)
            if one.picture.is_file()
        ],
    )


def failed(change: Change, sentence: str) -> Verdict:
    """The verdict on a change whose run did not come to its end."""
    title = "No verdict: the run failed"
    return Verdict(
        "failure", None, title, change, _render("failed.md.j2", change=change, title=title, sentence=sentence)
    )


def unchanged(change: Change, watched: Iterable[str]) -> Verdict:
    """The verdict on a change that touches nothing a model is made of."""
    title = "Nothing to judge: no change to what makes a model"
    markdown = _render("unchanged.md.j2", change=change, title=title, watched=list(watched))
    return Verdict("neutral", None, title, change, markdown)


def _title(head: Summary, champion: Scores | None) -> str:
    word = "Not blessed" if not head.blessed else "Blessed by a person" if head.override else "Blessed"
    mean_iou = head.candidate.mean_iou if head.candidate else None
    if mean_iou is None:
        return word
    title = f"{word}: mean IoU {mean_iou:.3f}"
    if champion is None or champion.mean_iou is None:
        return f"{title}, a first model"
    return f"{title}, {mean_iou - champion.mean_iou:+.3f} against the champion"


def _rows(head: Summary, champion: Scores | None) -> list[Row]:
    ours, theirs = head.candidate or Scores(), champion or Scores()
    names = [name for name in _NAMES if name in ours.overall]
    names += sorted(name for name in ours.overall if name not in _NAMES)
    sure = {"mean_iou": (head.intervals.mean_iou, head.intervals.difference)}
    return [
        Row(
            _NAMES.get(name, name.replace("_", " ")),
            ours.overall[name],
            theirs.overall.get(name),
            *sure.get(name, (None, None)),
        )
        for name in names
    ]


def _class_rows(head: Summary, champion: Scores | None) -> list[Row]:
    ours, theirs = head.candidate or Scores(), champion or Scores()
    return [
        Row(name, iou, theirs.class_iou.get(name), head.intervals.class_iou.get(name))
        for name, iou in ours.class_iou.items()
    ]


def _component_rows(head: Summary, base: Summary | None) -> list[tuple[str, float | None, float | None]]:
    """(component, seconds for the candidate, seconds for the champion), for every component that did work."""
    ours, theirs = head.component_seconds, base.component_seconds if base else {}
    return [(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]


def _render(template: str, **values: object) -> str:
    # autoescape is for HTML; here `text` below escapes what comes from configs and file names for Markdown.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("segpipe.cicd"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701
    )
    environment.filters |= {
        "text": escape,
        "code": _code,
        "number": _number,
        "signed": _signed,
        "interval": _interval,
        "seconds": _seconds,
    }
    return environment.get_template(template).render(values)


def escape(text: object) -> str:
    """`text` as Markdown that shows just that: no table cell, link, HTML or mention comes of it."""
    line = " ".join(str(text).split()).translate(_ENTITIES)
    return line.replace("@", "@&#8203;").replace("://", ":&#8203;//")


def _code(text: object) -> str:
    return f"`{' '.join(str(text).split()).replace('`', '')}`"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _interval(interval: Interval | None, form: str = "{:.3f}") -> str:
    return "" if interval is None else f" ({form.format(interval.low)} … {form.format(interval.high)})"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
