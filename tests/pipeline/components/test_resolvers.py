from tfx.types import standard_artifacts

from segpipe.pipeline.components.resolvers import LatestOtherBlessedModel


def model(model_id):
    artifact = standard_artifacts.Model()
    artifact.id = model_id
    return artifact


def blessing(blessing_id, model_id, blessed=1):
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = blessing_id
    artifact.set_int_custom_property("current_model_id", model_id)
    artifact.set_int_custom_property("blessed", blessed)
    return artifact


def baseline(candidate_id, models, blessings):
    resolved = LatestOtherBlessedModel().resolve_artifacts(
        None,
        {
            "candidate": [model(candidate_id)],
            "model": [model(m) for m in models],
            "model_blessing": [blessing(*b) for b in blessings],
        },
    )
    assert [artifact.id for artifact in resolved["candidate"]] == [candidate_id]
    return [artifact.id for artifact in resolved["model"]]


def test_the_first_model_has_no_baseline():
    assert baseline(1, [1], []) == []


def test_a_repeated_first_run_still_has_no_baseline():
    assert baseline(1, [1], [(10, 1)]) == []


def test_a_second_model_meets_the_first():
    assert baseline(2, [1, 2], [(10, 1)]) == [1]


def test_a_model_that_was_not_blessed_is_no_baseline():
    assert baseline(3, [1, 2, 3], [(10, 1), (11, 2, 0)]) == [1]


def test_the_latest_blessing_counts_not_the_newest_model():
    assert baseline(3, [1, 2, 3], [(10, 1), (11, 2), (12, 1)]) == [1]
