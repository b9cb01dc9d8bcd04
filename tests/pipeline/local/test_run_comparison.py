from segpipe.pipeline.local.run_comparison import Row, config_differences, scores

FIRST = {
    "status": "done",
    "blessed": True,
    "seconds": 10.0,
    "metrics": {"candidate": {"mean_iou": 0.6, "class_iou": {"cat": 0.5, "dog": 0.7}}},
    "config": {"name": "a", "train": {"epochs": 3, "batch_size": 8}},
}
SECOND = {
    "status": "done",
    "blessed": False,
    "seconds": 12.5,
    "metrics": {"candidate": {"mean_iou": 0.65, "class_iou": {"cat": None, "bird": 0.2}}},
    "config": {"name": "a", "train": {"epochs": 5, "batch_size": 8}, "gate": {"min_mean_iou": 0.5}},
}


def test_scores_stand_side_by_side_and_what_one_lacks_is_none():
    rows = {row.name: row for row in scores(FIRST, SECOND)}
    assert rows["mean_iou"].difference == 0.65 - 0.6
    assert rows["class_iou.cat"] == Row("class_iou.cat", 0.5, None)
    assert rows["class_iou.bird"] == Row("class_iou.bird", None, 0.2)
    assert rows["blessed"].difference is None
    assert rows["seconds"].difference == 2.5


def test_only_config_keys_that_differ_are_listed():
    assert config_differences(FIRST, SECOND) == [Row("train.epochs", 3, 5), Row("gate.min_mean_iou", None, 0.5)]
    assert config_differences(FIRST, FIRST) == []


def test_a_run_that_failed_has_no_scores():
    assert [row.name for row in scores({"status": "failed", "metrics": None}, {})] == ["status", "blessed", "seconds"]
