"""Checks the answers of one of the models behind an endpoint, not only their number."""

import base64
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.api_core import exceptions as google
from PIL import Image

Predict = Callable[[list[Any]], Any]
"""Instances in, an answer with `predictions` and `deployed_model_id` out."""


@dataclass(frozen=True)
class Health:
    """What came of a check.

    Attributes:
      problem: why the model must not take over, or "" where it may.
      requests: sent in all.
      answers: that came from the model in question.
    """

    problem: str
    requests: int
    answers: int


def check(
    predict: Predict,
    deployed_id: str,
    share_percent: int,
    answers: int,
    image_size: int,
    num_classes: int,
) -> Health:
    """Sends pictures until the model has answered often enough, and looks at each of its answers.

    A request that fails counts against the model: its users would have met the failure, and the old model is there.

    Args:
      predict: asks the endpoint, which picks a model by the traffic split.
      deployed_id: of the model in question.
      share_percent: of the requests that it gets.
      answers: how many of its answers are wanted.
      image_size: side S of its masks in pixels.
      num_classes: K.
    """
    # So many that a model that gets its share has less than one chance in a million not to answer often enough.
    limit = math.ceil((answers + 7 * math.sqrt(answers) + 14) * 100 / share_percent)
    answered = 0
    for number in range(limit):
        try:
            answer = predict([_instance(number, image_size)])
        except (google.GoogleAPICallError, google.RetryError) as error:
            return Health(f"request {number + 1} failed: {str(error).splitlines()[0]}", number + 1, answered)
        if answer.deployed_model_id != deployed_id:
            continue
        answered += 1
        if problem := _problem(answer.predictions, image_size, num_classes):
            return Health(problem, number + 1, answered)
        if answered == answers:
            return Health("", number + 1, answered)
    return Health(f"it answered {answered} of {limit} requests; {answers} answers were wanted", limit, answered)


def _instance(number: int, size: int) -> dict[str, dict[str, str]]:
    """A picture of its own for every request, in TensorFlow Serving's JSON."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return {"image_bytes": {"b64": base64.b64encode(stream.getvalue()).decode("ascii")}}


def _problem(predictions: list[Mapping[str, Any]], size: int, num_classes: int) -> str:
    if len(predictions) != 1 or "mask" not in predictions[0]:
        return "its answer holds no mask"
    mask = np.asarray(predictions[0]["mask"])
    if mask.shape != (size, size):
        return f"its mask has shape {mask.shape}, expected {(size, size)}"
    if mask.min() < 0 or mask.max() >= num_classes:
        return f"its mask holds class {int(mask.max())} of {num_classes}"
    confidence = float(predictions[0].get("confidence", math.nan))
    if not 0 <= confidence <= 1:
        return f"its confidence is {confidence}"
    return ""
