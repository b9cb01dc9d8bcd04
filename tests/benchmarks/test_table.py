"""The comparison says who is better, and by how much, in the right direction."""

import io

import pytest
from rich.console import Console

from benchmarks import table


def design(name, *, pictures=100, seconds=10.0, scale=1.0):
    """Measurements of a design that takes `scale` times as long and as much as the plainest."""
    example_gen = "ExampleGen" if name == "segpipe" else "ImportExampleGen"
    nodes = {example_gen: 1.0, "StatisticsGen": 2.0, "Transform": 4.0, "Trainer": 6.0, "Evaluator": 5.0}
    return {
        "name": name,
        "pictures": pictures,
        "prepare": {"seconds": 2.0 * scale, "bytes": 1_000_000 * scale},
        "run": {
            "seconds": seconds * scale + 4.0,
            "cpu_seconds": 1.5 * seconds * scale + 8.0,
            "fit": {"seconds": 4.0, "cpu_seconds": 8.0},
            "nodes": {node: {"seconds": cost * scale, "cpu_seconds": cost} for node, cost in nodes.items()},
            "examples_bytes": 500_000 * scale,
            "transformed_bytes": 0 if name == "segpipe" else 700_000 * scale,
            "judged_pictures": 20,
            "pushed": True,
        },
        "prepare_cost": {"seconds": 3.0, "peak_rss_mb": 200.0 * scale},
        "run_cost": {"seconds": 20.0, "peak_rss_mb": 1000.0 * scale},
        "rates": {"input_pictures_per_s": 300.0 / scale, "step_pictures_per_s": 50.0 / scale},
    }


@pytest.fixture
def compared():
    rows = table.rows(design("segpipe"), design("published", scale=4.0))
    return {row.name: row for row in rows}


def test_rates_are_pictures_over_seconds(compared):
    assert compared["prepare"].segpipe == 50.0
    assert compared["StatisticsGen"].segpipe == 50.0
    assert compared["ExampleGen"].published == 25.0


def test_the_evaluator_is_rated_on_the_pictures_that_it_judges(compared):
    assert compared["Evaluator"].segpipe == 4.0


@pytest.mark.parametrize(
    "name", ["ExampleGen", "Trainer step", "whole run less fit", "whole run less fit, all cores", "peak memory"]
)
def test_four_times_the_cost_is_four_times_better(compared, name):
    assert compared[name].better == pytest.approx(4.0)


def test_only_the_published_design_stores_the_prepared_and_the_transformed_copy(compared):
    assert compared["all copies of an Example"].segpipe == 5.0
    assert compared["all copies of an Example"].published == 4 * (10.0 + 5.0 + 7.0)


def test_only_the_published_design_needs_its_script_before_a_run(compared):
    assert compared["from files, less fit"].segpipe == 10.0
    assert compared["from files, less fit"].published == 40.0 + 8.0


def test_growth_is_what_each_further_picture_costs():
    stream = io.StringIO()
    designs = [design("segpipe"), design("segpipe", pictures=300, seconds=14.0)]
    Console(file=stream, width=140).print(table.growth(designs))
    last = next(line for line in stream.getvalue().splitlines() if "300" in line)
    assert [cell.strip() for cell in last.strip("│ ").split("│")] == [
        "300", "2.00 s", "200 MB", "14.0 s", "21.0 s", "30.0 CPU ms", "1,000 MB", "1.67 kB",
    ]  # fmt: skip
