"""TensorFlow Serving's REST contract: a client written for it, or for a Vertex AI endpoint, works unchanged.

https://www.tensorflow.org/tfx/serving/api_rest and
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/predict
"""

import base64
import binascii
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from segpipe.savedmodel.load import LoadedModel, Signature
from segpipe.savedmodel.request_error import NOT_FOUND, RequestError
from segpipe.serve.answering import Answerer
from segpipe.serve.http_body import json_response, parse_json, read_body
from segpipe.serve.versions import Versions


class TensorFlowServing:
    """Routes of the contract for one model."""

    def __init__(self, name: str, versions: Versions, answerer: Answerer):
        self._name = name
        self._versions = versions
        self._answerer = answerer

    def routes(self) -> list[Route]:
        """Status, metadata and predict, with and without a version; and predict as a Vertex AI endpoint has it."""
        model, version = "/v1/models/{model}", "/v1/models/{model}/versions/{version}"
        endpoint = "/v1/projects/{project}/locations/{location}/endpoints/{endpoint}"
        return [
            Route(version + ":predict", self.predict, methods=["POST"]),
            Route(model + ":predict", self.predict, methods=["POST"]),
            Route(version + "/metadata", self.metadata, methods=["GET"]),
            Route(model + "/metadata", self.metadata, methods=["GET"]),
            Route(version, self.status, methods=["GET"]),
            Route(model, self.status, methods=["GET"]),
            Route(endpoint + ":predict", self.predict_as_vertex, methods=["POST"]),
        ]

    async def predict(self, request: Request) -> Response:
        """Answers `instances` (row format) with `predictions`, and `inputs` (column format) with `outputs`."""
        model = self._model(request)
        return json_response(await self._predict(request, model))

    async def predict_as_vertex(self, request: Request) -> Response:
        """Answers with the fields that a Vertex AI endpoint adds."""
        model = self._versions.get()
        answer = await self._predict(request, model)
        place = "projects/{project}/locations/{location}".format(**request.path_params)
        return json_response(
            {
                **answer,
                "deployedModelId": str(model.version),
                "model": f"{place}/models/{self._name}",
                "modelDisplayName": self._name,
                "modelVersionId": str(model.version),
            }
        )

    async def status(self, request: Request) -> Response:
        """GetModelStatusResponse as JSON."""
        self._check_name(request)
        wanted = _version(request)
        statuses = [status for status in self._versions.status() if wanted in (None, status.version)]
        if not statuses and wanted is not None:
            raise RequestError(f"version {wanted} of {self._name} was never seen here.", NOT_FOUND)
        return json_response(
            {
                "model_version_status": [
                    {
                        "version": str(status.version),
                        "state": status.state,
                        "status": {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error},
                    }
                    for status in statuses
                ]
            }
        )

    async def metadata(self, request: Request) -> Response:
        """GetModelMetadataResponse as JSON."""
        model = self._model(request)
        signatures = {name: signature.definition for name, signature in model.signatures.items()}
        return json_response(
            {
                "model_spec": {"name": self._name, "signature_name": "", "version": str(model.version)},
                "metadata": {"signature_def": {"signature_def": signatures}},
            }
        )

    async def _predict(self, request: Request, model: LoadedModel) -> dict[str, Any]:
        body = parse_json(await read_body(request, self._answerer.limits.max_body_mb))
        signature_name = body.get("signature_name", "")
        if not isinstance(signature_name, str):
            raise RequestError("signature_name must be a string.")
        signature = model.signature(signature_name)
        if ("instances" in body) == ("inputs" in body):
            raise RequestError('the body must hold either "instances" (a list) or "inputs", not both and not none.')
        by_row = "instances" in body
        items = rows(body["instances"], signature) if by_row else columns(body["inputs"], signature)
        outputs = await self._answerer.answer(model, signature_name, items)
        named = {name: _jsonable(array) for name, array in outputs.items()}
        if not by_row:
            return {"outputs": next(iter(named.values())) if len(named) == 1 else named}
        if len(named) == 1:
            return {"predictions": next(iter(named.values()))}
        return {"predictions": [dict(zip(named, values, strict=True)) for values in zip(*named.values(), strict=True)]}

    def _model(self, request: Request) -> LoadedModel:
        self._check_name(request)
        return self._versions.get(_version(request))

    def _check_name(self, request: Request) -> None:
        if request.path_params["model"] != self._name:
            raise RequestError(
                f"there is no model {request.path_params['model']!r} here; this server answers as {self._name!r}.",
                NOT_FOUND,
            )


def rows(instances: Any, signature: Signature) -> list[bytes]:
    """The byte strings of `instances`, each {"b64": …} or {INPUT_NAME: {"b64": …}}.

    Raises:
      RequestError: another shape, or not base64.
    """
    if not isinstance(instances, list):
        raise RequestError('"instances" must be a list, as in {"instances": [{"b64": "…"}]}.')
    return [_bytes(instance, signature, f"instance {position}") for position, instance in enumerate(instances)]


def columns(inputs: Any, signature: Signature) -> list[bytes]:
    """The byte strings of `inputs`: a list of {"b64": …}, or {INPUT_NAME: that list}.

    Raises:
      RequestError: another shape, or not base64.
    """
    if isinstance(inputs, dict) and set(inputs) == {signature.input_name}:
        inputs = inputs[signature.input_name]
    if not isinstance(inputs, list):
        raise RequestError(f'"inputs" must be {{"{signature.input_name}": [{{"b64": "…"}}]}} or that list alone.')
    return [_bytes(value, signature, f"instance {position}") for position, value in enumerate(inputs)]


def _bytes(value: Any, signature: Signature, name: str) -> bytes:
    if isinstance(value, dict) and set(value) == {signature.input_name}:
        value = value[signature.input_name]
    if not (isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)):
        raise RequestError(
            f'{name} must be {{"b64": "…"}} or {{"{signature.input_name}": {{"b64": "…"}}}}, the bytes in base64.'
        )
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"{name} is not base64: {error}.") from None


def _version(request: Request) -> int | None:
    text = request.path_params.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RequestError(f"a version is a number, got {text!r}.")
    return int(text)


def _jsonable(array: np.ndarray) -> Any:
    """The array itself, which orjson writes, or for byte strings a list of {"b64": …}."""
    if array.dtype == object:
        return [{"b64": base64.b64encode(value).decode()} for value in array.ravel()]
    return array
