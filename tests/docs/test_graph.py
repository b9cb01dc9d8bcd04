"""docs/graph.svg shows the graph that runs."""

import runpy
from pathlib import Path

from segpipe import config
from segpipe.pipeline import graph
from segpipe.pipeline.targets import BASELINE_NODE_ID, LocalTarget

ROOT = Path(__file__).parents[2]
DRAWN = runpy.run_path(str(ROOT / "docs" / "graph.py"))


def test_the_committed_picture_is_what_the_script_draws():
    assert (ROOT / "docs" / "graph.svg").read_text(encoding="utf-8") == DRAWN["svg"]()


def test_every_node_is_drawn_and_nothing_else(tmp_path):
    pipeline = graph.build(config.load(ROOT / "configs" / "demo.toml"), LocalTarget(tmp_path))
    ids = [node.id for node in pipeline.components]
    drawn = {box.name for box in DRAWN["BOXES"] if box.place != DRAWN["FILES"]}
    assert drawn == {{BASELINE_NODE_ID: "Resolver"}.get(node, node) for node in ids}
