"""Measurements of two designs in, the rows of the comparison out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Design = Mapping[str, Any]
"""What `measure` found out about one design."""


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    Attributes:
      name: what is measured.
      unit: of `segpipe` and `published`.
      better: how many times better segpipe is: faster, smaller or leaner; below 1 it is worse.
    """

    name: str
    unit: str
    segpipe: float
    published: float
    better: float


def rows(segpipe: Design, published: Design) -> list[Row]:
    """Compares two designs that were measured on the same pictures."""
    return [
        Row(name, unit, ours, theirs, ours / theirs if more_is_better else theirs / ours)
        for name, unit, more_is_better, value in _MEASURES
        for ours, theirs in [(value(segpipe), value(published))]
    ]


def less_fit(design: Design, clock: str = "seconds") -> float:
    """Seconds, or cpu_seconds, of the whole run less the epochs of training and validation."""
    return float(design["run"][clock] - design["run"]["fit"][clock])


def _rate(*nodes: str) -> Callable[[Design], float]:
    """Pictures per second of the first of `nodes` that the design has."""

    def rate(design: Design) -> float:
        seconds = next(design["run"]["nodes"][node]["seconds"] for node in nodes if node in design["run"]["nodes"])
        pictures = design["run"]["judged_pictures"] if nodes == ("Evaluator",) else design["pictures"]
        return float(pictures / seconds)

    return rate


def _stored_kb(design: Design) -> float:
    stored = design["run"]["examples_bytes"] + design["run"]["transformed_bytes"]
    if design["name"] == "published":  # Its ExampleGen reads what its script wrote; segpipe's reads the pairs.
        stored += design["prepare"]["bytes"]
    return float(stored / design["pictures"] / 1e3)


def _from_files_s(design: Design) -> float:
    script = design["prepare"]["seconds"] if design["name"] == "published" else 0.0
    return less_fit(design) + float(script)


_MEASURES: tuple[tuple[str, str, bool, Callable[[Design], float]], ...] = (
    ("prepare", "pictures/s", True, lambda d: d["pictures"] / d["prepare"]["seconds"]),
    ("ExampleGen", "pictures/s", True, _rate("ExampleGen", "ImportExampleGen")),
    ("StatisticsGen", "pictures/s", True, _rate("StatisticsGen")),
    ("Transform", "pictures/s", True, _rate("Transform")),
    ("Trainer input", "pictures/s", True, lambda d: d["rates"]["input_pictures_per_s"]),
    ("Trainer step", "pictures/s", True, lambda d: d["rates"]["step_pictures_per_s"]),
    ("Trainer less fit", "s", False, lambda d: d["run"]["nodes"]["Trainer"]["seconds"] - d["run"]["fit"]["seconds"]),
    ("Evaluator", "pictures/s", True, _rate("Evaluator")),
    ("Example as prepared", "kB", False, lambda d: d["prepare"]["bytes"] / d["pictures"] / 1e3),
    ("Example of ExampleGen", "kB", False, lambda d: d["run"]["examples_bytes"] / d["pictures"] / 1e3),
    ("all copies of an Example", "kB", False, _stored_kb),
    ("whole run less fit", "s", False, less_fit),
    ("whole run less fit, all cores", "CPU s", False, lambda d: less_fit(d, "cpu_seconds")),
    ("from files, less fit", "s", False, _from_files_s),
    ("peak memory", "MB", False, lambda d: d["run_cost"]["peak_rss_mb"]),
)


def comparison(pictures: int, side: int, compared: list[Row]) -> Table:
    """The rows as a table for people."""
    table = Table(title=f"{pictures:,} pictures of {side} × {side}", title_justify="left")
    table.add_column("")
    for heading in ("segpipe", "published", "unit", "times better"):
        table.add_column(heading, justify="left" if heading == "unit" else "right")
    for row in compared:
        table.add_row(row.name, _number(row.segpipe), _number(row.published), row.unit, _number(row.better))
    return table


def growth(designs: Sequence[Design]) -> Table:
    """How the cost of one design grows with the number of pictures."""
    table = Table(title=f"growth of {designs[0]['name']}", title_justify="left")
    for heading in (
        "pictures",
        "prepare",
        "its memory",
        "run less fit",
        "of it CPU",
        "a further picture",
        "memory of the run",
        "an Example",
    ):
        table.add_column(heading, justify="right")
    before: Design | None = None
    for design in designs:
        table.add_row(
            f"{design['pictures']:,}",
            f"{_number(design['prepare']['seconds'])} s",
            f"{design['prepare_cost']['peak_rss_mb']:,.0f} MB",
            f"{_number(less_fit(design))} s",
            f"{_number(less_fit(design, 'cpu_seconds'))} s",
            f"{_number(_further_ms(before, design))} CPU ms" if before else "",
            f"{design['run_cost']['peak_rss_mb']:,.0f} MB",
            f"{_number(design['run']['examples_bytes'] / design['pictures'] / 1e3)} kB",
        )
        before = design
    return table


def _further_ms(before: Design, design: Design) -> float:
    """Processor milliseconds that each picture more has cost, training aside."""
    seconds = less_fit(design, "cpu_seconds") - less_fit(before, "cpu_seconds")
    return seconds / (design["pictures"] - before["pictures"]) * 1e3


def _number(value: float) -> str:
    """Three digits, as far as they mean anything."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
