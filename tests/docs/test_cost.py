"""The README's price of a cloud run is what `segpipe submit` says of the same config."""

import re
from pathlib import Path

from segpipe import config
from segpipe.pipeline.vertex import cost

ROOT = Path(__file__).parents[2]


def test_the_readme_names_todays_estimate():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    settings = config.load(ROOT / "configs" / "vertex.toml")
    said = cost.sentence(settings, on_dataflow=False).removeprefix("Cost, ").rstrip(".")
    assert said in readme
    with_dataflow = cost.sentence(settings, on_dataflow=True)
    wording = r"(\$[0-9.]+) for Dataflow, if ([0-9]+ workers take [0-9]+ minutes a step)"
    price, workers = re.search(wording, with_dataflow).groups()
    assert f"Dataflow adds {price} if its {workers}" in readme
