"""Google Cloud on loopback, and what an Evaluator leaves there."""

import pytest

from tests.pipeline.components.test_evaluator import Judge, examples, models  # noqa: F401 (fixtures of this folder)
from tests.servers.google_fixtures import google, google_servers  # noqa: F401 (fixtures of this folder)


@pytest.fixture(scope="module")
def evaluation(examples, models, tmp_path_factory):  # noqa: F811
    """The folder of an evaluation: a model that finds the lakes against a champion that does not."""
    folder = tmp_path_factory.mktemp("evaluated")
    Judge(examples, models, folder)("noisy", champion="blind")
    return folder / "evaluation"
