import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from segpipe.config.evaluate import Gate
from segpipe.evaluate.gate import Measurements, Verdict, judge
from segpipe.evaluate.report import Component, Gallery, Report, Sample, Statistic
from segpipe.evaluate.report_page import render, write_report
from segpipe.evaluate.scores import Scores
from segpipe.evaluate.slices import SliceScore
from segpipe.metrics.bootstrap import Interval, Intervals

CLASSES = ("sea", "land", "lake & <river>")
CANDIDATE = np.array([[9000, 300, 20], [250, 4000, 30], [40, 60, 90]])
CHAMPION = np.array([[8900, 400, 20], [350, 3900, 30], [80, 60, 50]])


def sample(name, seed, size=96):
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    truth = ((rows + columns * rng.random()) > size * 0.8).astype(np.uint8)
    truth[size // 2 : size // 2 + 12, 10:40] = 2
    prediction = np.roll(truth, 5, axis=0)
    truth[:6] = 255
    image = np.stack([rows * 2, columns * 2, truth * 60], -1) + rng.integers(0, 40, (size, size, 3))
    return Sample(name, np.clip(image, 0, 255).astype(np.uint8), truth, prediction, 0.1 * seed)


BOUNDARY = np.array([[300, 250, 20], [400, 380, 60], [420, 390, 50]]).reshape(-1)
CALIBRATION = np.zeros((3, 15), int)
CALIBRATION[:, 14] = 9000, 8900, 8_820_000_000
CALIBRATION[:, 9] = 4000, 2000, 2_500_000_000


def full_report():
    difference = Interval(0.077, 0.031, 0.122)
    return Report(
        name="demo",
        when="2026-11-24 05:12",
        verdict=judge(
            Gate(min_class_iou={"land": 0.95}), Measurements(CLASSES, CANDIDATE, CHAMPION, difference=difference)
        ),
        classes=CLASSES,
        image_size=128,
        candidate=Scores(CANDIDATE, BOUNDARY, CALIBRATION.reshape(-1)),
        champion=Scores(CHAMPION, BOUNDARY - 10, CALIBRATION.reshape(-1)),
        intervals=Intervals(
            Interval(0.725, 0.70, 0.75),
            (Interval(0.937, 0.92, 0.95), Interval(0.862, 0.85, 0.88), Interval(0.375, 0.2, 0.5)),
            difference,
        ),
        slices=[
            SliceScore("brightness", "below 0.3", 40, 0.61, 0.55, True),
            SliceScore("brightness", "from 0.55", 90, 0.78, 0.79, True),
            SliceScore("site", "north", 3, float("nan"), 0.5, False),
        ],
        statistics=[Statistic("brightness", "train", 0.41, 0.1, 0.05, 0.4, 0.9)],
        gallery=Gallery(
            worst=[sample(f"tile-{n}", n) for n in range(4)],
            typical=[sample(f"tile-{n}", n) for n in range(4, 8)],
            by_class={"lake & <river>": [sample("tile-9", 9)]},
        ),
        splits={"train": 617, "eval": 132, "test": 133},
        class_balance={"train": (0.7, 0.28, 0.02), "test": (0.6, 0.39, 0.01)},
        anomalies=["brightness: 3 pictures are darker than any before."],
        quarantined=[("images/broken.jpg", "truncated")],
        history=[
            {"epoch": e, "loss": 1 / e, "val_loss": 1.2 / e, "val_mean_iou": 1 - 1 / (e + 1), "seconds": 3.0}
            for e in range(1, 9)
        ],
        components=[Component("Trainer", "done", 61.2, 1800.0), Component("Pusher", "reused", 0.1)],
        config='name = "demo"',
        facts={"code digest": "a1b2c3"},
        versions={"tensorflow": "2.21.0"},
    )


class _Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_no_network_and_stays_small(tmp_path):
    path = tmp_path / "report" / "index.html"
    write_report(full_report(), path)
    html = path.read_text()
    assert len(html) < 5e6
    urls = [v for _, attrs in _Page(html).tags for k, v in attrs.items() if k in ("src", "href", "xlink:href")]
    assert urls
    assert all(url.startswith(("data:", "#")) for url in urls)
    assert not re.search(r"url\((?!#)|@import", html)
    assert [p.name for p in path.parent.iterdir()] == ["index.html"]


def test_sections_answer_in_order_and_ids_are_unique():
    page = _Page(render(full_report()))
    assert [attrs["id"] for tag, attrs in page.tags if tag == "section"] == [
        "verdict",
        "scores",
        "failures",
        "data",
        "training",
    ]
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_picture_says_what_it_shows():
    images = [attrs for tag, attrs in _Page(render(full_report())).tags if tag == "img" and attrs.get("src")]
    assert len(images) == 9 * 4
    assert all(attrs["alt"] for attrs in images)


def test_verdict_and_its_reasons_are_on_the_page():
    html = render(full_report())
    assert "<h2>Not blessed</h2>" in html
    assert html.count("IoU of land 0.862 is below the floor of 0.950.") == 2
    overridden = dataclasses.replace(full_report(), verdict=Verdict(full_report().verdict.rules, "for the board"))
    assert "<h2>Blessed</h2>" in render(overridden)
    assert "for the board" in render(overridden)


def test_names_are_escaped():
    assert "lake &amp; &lt;river&gt;" in render(full_report())
    assert "<river>" not in render(full_report())


def test_a_report_of_the_least_there_can_be():
    html = render(
        Report(
            "first",
            "now",
            judge(Gate(), Measurements(("a", "b"), np.zeros((2, 2), int))),
            ("a", "b"),
            32,
            Scores(np.zeros((2, 2), int)),
        )
    )
    assert "Not blessed" in html
    assert "No file was quarantined." in html


@pytest.mark.parametrize("num_classes", [1, 41, 150])
def test_many_classes_are_drawn(num_classes):
    counts = np.random.default_rng(0).integers(0, 9, (num_classes, num_classes))
    classes = [f"class {n}" for n in range(num_classes)]
    html = render(Report("many", "now", Verdict(), classes, 32, Scores(counts, np.arange(3 * num_classes))))
    assert f"class {num_classes - 1}" in html
    assert len(html) < 2e6


def test_the_same_report_is_the_same_page():
    assert render(full_report()) == render(full_report())


def test_data_without_an_anomaly_says_so():
    assert "No anomaly" not in render(full_report())
    assert "No anomaly: the statistics fit the schema." in render(dataclasses.replace(full_report(), anomalies=()))
