"""Answers byte strings for one signature with arrays: every protocol goes through this check, queue and model."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from segpipe.savedmodel.load import DEFAULT_SIGNATURE, LoadedModel, Outputs
from segpipe.savedmodel.picture import accept
from segpipe.savedmodel.request_error import RequestError
from segpipe.serve.batching import Batcher

_NOMINAL_PIXELS = 1_000_000
"""Taken for the size of what is no picture."""
_EXAMPLES = "examples"
"""The input of the signatures for training and evaluation: pictures in Examples, which nothing checks."""


@dataclass(frozen=True)
class RequestLimits:
    """What one request may ask.

    Attributes:
      max_body_mb: of its body.
      max_pictures: in one request.
      max_megapixels: of one picture, decoded.
    """

    max_body_mb: float = 64.0
    max_pictures: int = 256
    max_megapixels: float = 50.0


Answered = Callable[[LoadedModel, Sequence[bytes], Sequence[Outputs]], None]


@dataclass(frozen=True)
class Answerer:
    """Answers requests with whichever model they name.

    Attributes:
      batcher: where the pictures wait for the model.
      limits: of one request.
      answered: told the pictures, upright JPEG or PNG, and the predictions of every answered request to the default
        signature; called on the event loop, so it must return at once.
    """

    batcher: Batcher
    limits: RequestLimits
    answered: Answered = lambda model, pictures, predictions: None

    async def answer(self, model: LoadedModel, signature_name: str, items: Sequence[bytes]) -> dict[str, np.ndarray]:
        """Runs the items through a signature.

        Returns:
          Every output, with the items as first axis.

        Raises:
          RequestError: the items cannot be answered; 503 where too many wait.
        """
        signature = model.signature(signature_name)
        pictures = signature.input_name == model.signature().input_name
        if not pictures and signature.input_name == _EXAMPLES:
            raise RequestError(
                f"the signature {signature.name!r} takes serialized Examples and is for training and evaluation alone; "
                f"send pictures to {DEFAULT_SIGNATURE!r}."
            )
        if not items:
            raise RequestError("the request holds no instance; send at least one.")
        if len(items) > self.limits.max_pictures:
            raise RequestError(
                f"the request holds {len(items)} instances; this server takes {self.limits.max_pictures} at once."
            )
        if pictures:
            checked = await asyncio.get_running_loop().run_in_executor(None, self._accept, items)
        else:
            checked = [(item, _NOMINAL_PIXELS) for item in items]
        futures = self.batcher.submit(signature, checked)
        results = await asyncio.gather(*map(asyncio.wrap_future, futures), return_exceptions=True)
        for position, result in enumerate(results):
            if isinstance(result, RequestError):
                raise RequestError(f"instance {position}: {result}", result.status)
            if isinstance(result, BaseException):
                raise result
        predictions: list[Outputs] = results  # type: ignore[assignment]
        if signature.name == DEFAULT_SIGNATURE:
            self.answered(model, [encoded for encoded, _ in checked], predictions)
        return {name: np.stack([prediction[name] for prediction in predictions]) for name in predictions[0]}

    def _accept(self, items: Sequence[bytes]) -> list[tuple[bytes, int]]:
        accepted = [
            accept(item, self.limits.max_megapixels, f"instance {position}") for position, item in enumerate(items)
        ]
        return [(one.encoded, one.pixels) for one in accepted]
