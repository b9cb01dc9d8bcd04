"""The estimate of what a run costs: sums that were done by hand, and a sentence where no price is known."""

from pathlib import Path

import pytest

from segpipe import config as config_module
from segpipe.config import Config
from segpipe.errors import ConfigError
from segpipe.pipeline.vertex.cost import PRICES_AS_OF, estimate, sentence

CONFIG = Path(__file__).parents[3] / "configs" / "vertex.toml"


def config(*overrides: str) -> Config:
    return config_module.load(CONFIG, overrides)


def test_the_prices_of_the_config_s_machines_are_added_up() -> None:
    cost = estimate(config(), on_dataflow=False)
    assert cost.steps == pytest.approx(0.03 + 8 * 4 / 60 * 0.154)  # the fee, and 8 steps of 4 minutes
    assert cost.training_hour == pytest.approx(0.437 + 0.403)  # n1-standard-8 with a T4
    assert cost.endpoint_month == pytest.approx(730 * 0.109)  # n1-standard-2
    assert cost.dataflow == 0


def test_every_replica_accelerator_and_worker_is_paid() -> None:
    settings = config(
        "vertex.training.replicas=4", "vertex.training.accelerator_count=2", "vertex.endpoint.min_replicas=2",
        "dataflow.max_workers=3", "dataflow.machine_type=n1-standard-2",
    )  # fmt: skip
    cost = estimate(settings, on_dataflow=True)
    assert cost.training_hour == pytest.approx(4 * (0.437 + 2 * 0.403))
    assert cost.endpoint_month == pytest.approx(2 * 730 * 0.109)
    assert cost.dataflow == pytest.approx(4 * 8 / 60 * 3 * 0.109)  # 4 Beam steps of 8 minutes


def test_the_sentence_says_what_it_assumes() -> None:
    said = sentence(config("vertex.training.spot=true"), on_dataflow=True)
    assert f"list prices of {PRICES_AS_OF}" in said
    assert "if 8 workers take 8 minutes a step" in said
    assert "$0.84 per hour of training (less on spot machines)" in said
    assert "Dataflow" not in sentence(config(), on_dataflow=False)


def test_the_documentation_says_what_the_command_says() -> None:
    page = (CONFIG.parents[1] / "docs" / "cloud.md").read_text()
    assert sentence(config(), on_dataflow=False) in page
    assert f"With Dataflow, ${estimate(config(), on_dataflow=True).dataflow:.2f} more" in page


def test_a_machine_without_a_price_is_said_so_and_stops_nothing() -> None:
    settings = config("vertex.endpoint.machine_type=c9-future-2")
    with pytest.raises(ConfigError, match="no price is known for c9-future-2; the table has "):
        estimate(settings, on_dataflow=False)
    assert sentence(settings, on_dataflow=False).startswith("Cost: no price is known for c9-future-2")
