"""The Resolvers' strategies on a laptop: which blessed model is to be beaten, which data new data is held against."""

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

from segpipe.pipeline.components.example_validator import STATISTICS_ID

CANDIDATE = "candidate"
STATISTICS = "statistics"
ANOMALIES = "anomalies"
MODEL = "model"
BLESSING = "model_blessing"


class LatestOtherBlessedModel(resolver.ResolverStrategy):
    """The model with the latest blessing that is not the candidate itself.

    TFX's own LatestBlessedModelStrategy returns the candidate when a finished run is repeated, so the Evaluator would
    compare it with itself and the Pusher would push it twice. Leaving the candidate out makes a repeated run resolve
    the same baseline as the first time, and the cache answers.
    """

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns at most one model and its blessing, and the candidate as it came."""
        candidates = input_dict.get(CANDIDATE, [])
        candidate_ids = {candidate.id for candidate in candidates}
        models = {model.id: model for model in input_dict.get(MODEL, [])}
        for blessing in sorted(input_dict.get(BLESSING, []), key=lambda artifact: artifact.id, reverse=True):
            model_id = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY)
            blessed = blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == 1
            if blessed and model_id in models and model_id not in candidate_ids:
                return {MODEL: [models[model_id]], BLESSING: [blessing], CANDIDATE: candidates}
        return {MODEL: [], BLESSING: [], CANDIDATE: candidates}


class LatestOtherAcceptedStatistics(resolver.ResolverStrategy):
    """The statistics that ExampleValidator accepted last and that are not the candidate themselves.

    A run that was stopped leaves statistics, but no anomalies: nothing is ever held against data that was refused.
    Leaving the candidate out lets the cache answer a repeated run.
    """

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns the statistics, or none, and the candidate as it came."""
        candidates = input_dict.get(CANDIDATE, [])
        candidate_ids = {candidate.id for candidate in candidates}
        statistics = {artifact.id: artifact for artifact in input_dict.get(STATISTICS, [])}
        for anomalies in sorted(input_dict.get(ANOMALIES, []), key=lambda artifact: artifact.id, reverse=True):
            accepted = anomalies.get_int_custom_property(STATISTICS_ID)
            if accepted in statistics and accepted not in candidate_ids:
                return {STATISTICS: [statistics[accepted]], ANOMALIES: [anomalies], CANDIDATE: candidates}
        return {STATISTICS: [], ANOMALIES: [], CANDIDATE: candidates}
