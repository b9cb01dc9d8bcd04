"""The Resolver's strategy on a laptop: which blessed model the candidate has to beat."""

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.components.common import resolver

CANDIDATE = "candidate"
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
