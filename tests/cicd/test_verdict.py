"""What a pull request is told, from the summaries of the runs."""

import json

import pytest

from segpipe.cicd import summary, verdict
from segpipe.errors import DataError
from tests.cicd.summaries import summary as written

HEAD, BASE = "a" * 40, "b" * 40
CHANGE = verdict.Change("configs/demo.toml", HEAD, BASE)


@pytest.fixture
def read(tmp_path):
    def read(**changes):
        path = tmp_path / "summary.json"
        path.write_text(json.dumps(written(**changes)))
        return summary.read(path)

    return read


def row(markdown, name):
    [line] = [line for line in markdown.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_blessed_model_says_by_how_much_it_is_better(read):
    judged = verdict.judge(CHANGE, read(mean_iou=0.672, baseline=0.651), None)
    assert judged.title == "Blessed: mean IoU 0.672, +0.021 against the champion"
    assert (judged.conclusion, judged.blessed) == ("success", True)
    assert row(judged.markdown, "mean IoU") == [
        "mean IoU",
        "0.672 (0.652 … 0.692)",
        "0.651",
        "+0.021 (-0.001 … +0.043)",
    ]
    assert row(judged.markdown, "pixel accuracy")[1] == "0.910"
    assert row(judged.markdown, "sea") == ["sea", "0.900 (0.800 … 1.000)", "0.500", "+0.400"]
    assert "In brackets: 95 % intervals" in judged.markdown
    assert row(judged.markdown, "Trainer") == ["Trainer", "61.2", "–"]
    assert "ExampleGen" not in judged.markdown  # It was reused, so its seconds say nothing.
    assert "train 600, eval 140, test 142 pictures" in judged.markdown


def test_a_model_that_is_not_blessed_is_red_and_says_why(read):
    rules = (
        (False, "mean IoU 0.412 is below the floor of 0.500."),
        (True, "IoU of sea 0.9 reaches 0.5."),
        (None, "Hm."),
    )
    judged = verdict.judge(CHANGE, read(blessed=False, rules=rules), None)
    assert (judged.conclusion, judged.blessed) == ("failure", False)
    assert "- ❌ mean IoU 0.412 is below the floor of 0.500." in judged.markdown
    assert "- ✅ IoU of sea 0.9 reaches 0.5." in judged.markdown
    assert "- ▫️ Hm." in judged.markdown


def test_a_first_model_has_no_difference(read):
    judged = verdict.judge(verdict.Change("configs/demo.toml", HEAD), read(baseline=None), None)
    assert judged.title == "Blessed: mean IoU 0.672, a first model"
    assert row(judged.markdown, "mean IoU") == ["mean IoU", "0.672 (0.652 … 0.692)", "–", "–"]
    assert "no base" in judged.markdown


def test_a_base_that_is_not_blessed_is_compared_all_the_same_and_said_so(read):
    base = read(mean_iou=0.4, baseline=None, blessed=False)
    judged = verdict.judge(CHANGE, read(mean_iou=0.6, baseline=None), base)
    assert judged.title == "Blessed: mean IoU 0.600, +0.200 against the champion"
    assert "The gate met no champion" in judged.markdown
    assert row(judged.markdown, "Trainer") == ["Trainer", "61.2", "61.2"]


def test_a_blessing_by_a_person_says_so_and_why(read):
    judged = verdict.judge(CHANGE, read(override="the labels were wrong", rules=((False, "too low."),)), None)
    assert judged.title.startswith("Blessed by a person: mean IoU 0.672")
    assert "because: the labels were wrong" in judged.markdown
    assert "- ❌ too low." in judged.markdown


def test_a_class_that_could_not_be_judged_has_a_dash(read):
    judged = verdict.judge(CHANGE, read(class_iou={"water": None}), None)
    assert row(judged.markdown, "water") == ["water", "–", "0.500", "–"]


@pytest.mark.parametrize(
    "name",
    ["a|b", "<img src=x onerror=alert(1)>", "@everyone", "[x](https://evil.example)", "`code`", "line\nbreak", "**b**"],
)
def test_a_class_name_cannot_leave_its_cell(read, name):
    markdown = verdict.judge(CHANGE, read(class_iou={name: 0.5}), None).markdown
    [line] = [line for line in markdown.splitlines() if "| 0.500 (0.400 … 0.600) | 0.500 | +0.000 |" in line]
    cell = line.split("|")[1]
    assert line.count("|") == 5
    assert not set(cell) & set("<>[]()`*\n")
    assert "@everyone" not in cell
    assert "://" not in cell


def test_a_failed_run_is_red_and_has_no_blessing():
    judged = verdict.failed(CHANGE, "Trainer ran out of memory; lower train.batch_size.")
    assert (judged.conclusion, judged.blessed) == ("failure", None)
    assert "Trainer ran out of memory; lower train.batch&#95;size." in judged.markdown


def test_what_is_written_is_what_is_posted(tmp_path, read):
    judged = verdict.judge(CHANGE, read(), None)
    judged.write(tmp_path)
    assert (tmp_path / "verdict.md").read_text() == judged.markdown
    posted = json.loads((tmp_path / "verdict.json").read_text())
    assert posted["conclusion"] == "success"
    assert posted["change"] == {
        "config": "configs/demo.toml",
        "head": HEAD,
        "base": BASE,
        "overrides": [],
        "notes": [],
        "page": "",
    }
    assert posted["pictures"] == []


def test_the_worst_pictures_lie_beside_the_verdict(tmp_path, read):
    (tmp_path / "run").mkdir()
    for number in (1, 2):
        (tmp_path / f"run/{number}.jpg").write_text(f"picture {number}")
    judged = verdict.judge(CHANGE, read(pictures=str(tmp_path / "run")), None)
    judged.write(tmp_path / "out")
    posted = json.loads((tmp_path / "out/verdict.json").read_text())["pictures"]
    assert [one["file"] for one in posted] == ["worst-1.jpg", "worst-2.jpg"]
    assert posted[0]["caption"] == "tile&#95;1: mean IoU 0.100"
    assert (tmp_path / "out/worst-2.jpg").read_text() == "picture 2"

    verdict.failed(CHANGE, "Trainer failed.").write(tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.jpg"))


def test_a_run_from_before_there_were_intervals_is_judged(tmp_path):
    old = written()
    del old["intervals"], old["worst"]
    (tmp_path / "summary.json").write_text(json.dumps(old))
    judged = verdict.judge(CHANGE, summary.read(tmp_path / "summary.json"), None)
    assert row(judged.markdown, "mean IoU") == ["mean IoU", "0.672", "0.651", "+0.021"]
    assert "In brackets" not in judged.markdown


def test_the_command_that_repeats_it_is_given(read):
    judged = verdict.judge(verdict.Change("configs/demo.toml", HEAD, BASE, ("train.epochs=2",)), read(), None)
    command = f"segpipe ci verdict configs/demo.toml --base {BASE[:12]} --head {HEAD[:12]} --set train.epochs=2"
    assert f"`{command}`" in judged.markdown


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 3}', "not json"])
def test_a_file_that_is_no_summary_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(DataError, match="is not the summary of a run"):
        summary.read(path)


def test_a_missing_summary_says_what_makes_one(tmp_path):
    with pytest.raises(DataError, match="segpipe run CONFIG"):
        summary.read(tmp_path / "summary.json")
