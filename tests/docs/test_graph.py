"""docs/graph.svg shows the graph that runs."""

import runpy
from pathlib import Path

from segpipe import config
from segpipe.pipeline.local.run import node_ids
from segpipe.pipeline.targets import BASELINE_NODE_ID

ROOT = Path(__file__).parents[2]
DRAWN = runpy.run_path(str(ROOT / "docs" / "graph.py"))


def test_the_committed_picture_is_what_the_script_draws():
    assert (ROOT / "docs" / "graph.svg").read_text(encoding="utf-8") == DRAWN["svg"]()


def test_every_node_is_drawn_and_nothing_else():
    drawn = {box.name for box in DRAWN["BOXES"] if box.place != DRAWN["FILES"]}
    assert drawn == {
        {BASELINE_NODE_ID: "Resolver"}.get(node, node) for node in node_ids(config.load(ROOT / "configs" / "demo.toml"))
    }
