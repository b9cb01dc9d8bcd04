"""KServe's V2 protocol (Open Inference Protocol) over HTTP, with its binary tensor extension.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

import base64
import binascii
import struct
from collections.abc import Mapping
from importlib.metadata import version as package_version
from typing import Any

import numpy as np
import orjson
import tensorflow as tf
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from segpipe.savedmodel.load import LoadedModel
from segpipe.savedmodel.request_error import NOT_FOUND, OVERLOADED, RequestError
from segpipe.serve.answering import Answerer
from segpipe.serve.http_body import json_response, parse_json, read_body
from segpipe.serve.versions import Versions

_JSON_SIZE_HEADER = "inference-header-content-length"
_LENGTH = struct.Struct("<I")
_DATATYPES = {
    tf.bool: "BOOL", tf.uint8: "UINT8", tf.int32: "INT32", tf.int64: "INT64",
    tf.float16: "FP16", tf.float32: "FP32", tf.float64: "FP64", tf.string: "BYTES",
}  # fmt: skip


class OpenInference:
    """Routes of the protocol for one model."""

    def __init__(self, name: str, versions: Versions, answerer: Answerer):
        self._name = name
        self._versions = versions
        self._answerer = answerer

    def routes(self) -> list[Route]:
        """Health, metadata and inference."""
        places = ("/v2/models/{model}/versions/{version}", "/v2/models/{model}")
        return [
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", self.live, methods=["GET"]),
            Route("/v2/health/ready", self.ready, methods=["GET"]),
            *(Route(place + "/infer", self.infer, methods=["POST"]) for place in places),
            *(Route(place + "/ready", self.model_ready, methods=["GET"]) for place in places),
            *(Route(place, self.metadata, methods=["GET"]) for place in places),
        ]

    async def server(self, _: Request) -> Response:
        """Which server this is."""
        return json_response(
            {"name": "segpipe", "version": package_version("segpipe"), "extensions": ["binary_tensor_data"]}
        )

    async def live(self, _: Request) -> Response:
        """200 while the process answers at all."""
        return json_response({"live": True})

    async def ready(self, _: Request) -> Response:
        """200 once a version is loaded, 503 before."""
        return json_response({"ready": self._versions.ready}, 200 if self._versions.ready else OVERLOADED)

    async def model_ready(self, request: Request) -> Response:
        """200 once that version is loaded."""
        model = self._model(request)
        return json_response({"name": self._name, "ready": True, "version": str(model.version)})

    async def metadata(self, request: Request) -> Response:
        """Names, datatypes and shapes (-1 = any) of what goes in and comes out."""
        model = self._model(request)
        signature = model.signature()
        return json_response(
            {
                "name": self._name,
                "versions": [str(status.version) for status in self._versions.status() if status.state == "AVAILABLE"],
                "platform": "tensorflow_savedmodel",
                "inputs": [{"name": signature.input_name, "datatype": "BYTES", "shape": [-1]}],
                "outputs": [
                    {"name": name, "datatype": _DATATYPES[spec.dtype], "shape": [-1, *spec.shape.as_list()[1:]]}
                    for name, spec in sorted(signature.output_specs().items())
                ],
            }
        )

    async def infer(self, request: Request) -> Response:
        """Answers one inference request; parameters.signature_name chooses another signature than the default."""
        model = self._model(request)
        raw = await read_body(request, self._answerer.limits.max_body_mb)
        json_size = _json_size(request, len(raw))
        body = parse_json(raw[:json_size])
        parameters = _object(body.get("parameters"), "parameters")
        signature_name = str(parameters.get("signature_name", ""))
        input_name = model.signature(signature_name).input_name
        items = _items(body, input_name, raw[json_size:])
        outputs = await self._answerer.answer(model, signature_name, items)
        wanted = _wanted(body, outputs, bool(parameters.get("binary_data_output", False)))
        head: dict[str, Any] = {"model_name": self._name, "model_version": str(model.version)}
        if "id" in body:
            head["id"] = body["id"]
        return _response(head, outputs, wanted)

    def _model(self, request: Request) -> LoadedModel:
        name, version = request.path_params["model"], request.path_params.get("version")
        if name != self._name:
            raise RequestError(f"there is no model {name!r} here; this server answers as {self._name!r}.", NOT_FOUND)
        if version is not None and not (version.isascii() and version.isdigit()):
            raise RequestError(f"a version is a number, got {version!r}.")
        return self._versions.get(None if version is None else int(version))


def _json_size(request: Request, body_size: int) -> int:
    """Bytes of the JSON in front of the binary tensors."""
    text = request.headers.get(_JSON_SIZE_HEADER)
    if text is None:
        return body_size
    if not (text.isascii() and text.isdigit()) or int(text) > body_size:
        raise RequestError(f"{_JSON_SIZE_HEADER} must be a number up to the body's {body_size} bytes, got {text!r}.")
    return int(text)


def _items(body: Mapping[str, Any], input_name: str, binary: bytes) -> list[bytes]:
    inputs = body.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise RequestError(f'"inputs" must be a list of one tensor, {input_name}.')
    tensor = inputs[0]
    if tensor.get("name") != input_name or tensor.get("datatype") != "BYTES":
        raise RequestError(
            f"the input must be {input_name} of datatype BYTES, "
            f"got {tensor.get('name')!r} of {tensor.get('datatype')!r}."
        )
    size = _object(tensor.get("parameters"), "parameters").get("binary_data_size")
    if size is not None:
        if size != len(binary):
            raise RequestError(f"binary_data_size is {size} but {len(binary)} bytes follow the JSON.")
        items = _unpack(binary)
    else:
        items = _decode(tensor.get("data"))
    shape = tensor.get("shape")
    if shape not in ([len(items)], [len(items), 1]):
        raise RequestError(f"the input's shape is {shape} but it holds {len(items)} values; the shape must be [N].")
    return items


def _unpack(binary: bytes) -> list[bytes]:
    """Values that each follow their length, uint32 little endian."""
    items: list[bytes] = []
    position = 0
    while position < len(binary):
        end = position + _LENGTH.size
        if end > len(binary) or (stop := end + _LENGTH.unpack_from(binary, position)[0]) > len(binary):
            raise RequestError(f"the binary tensor ends inside value {len(items)}.")
        items.append(binary[end:stop])
        position = stop
    return items


def _decode(data: Any) -> list[bytes]:
    """JSON has no bytes, so each value is base64: a string, or {"b64": string} as TensorFlow Serving has it."""
    if not isinstance(data, list):
        raise RequestError('"data" must be a list of base64 strings, or come as binary tensor data.')
    flat = [value for row in data for value in (row if isinstance(row, list) else [row])]
    items = []
    for position, value in enumerate(flat):
        text = value.get("b64") if isinstance(value, dict) else value
        try:
            items.append(base64.b64decode(str(text), validate=True))
        except (binascii.Error, ValueError) as error:
            raise RequestError(f"instance {position} is not base64: {error}.") from None
    return items


def _wanted(body: Mapping[str, Any], outputs: Mapping[str, np.ndarray], binary: bool) -> dict[str, bool]:
    """Which outputs to send, and whether as binary data."""
    asked = body.get("outputs")
    if not asked:
        return dict.fromkeys(sorted(outputs), binary)
    if not isinstance(asked, list):
        raise RequestError('"outputs" must be a list.')
    wanted = {}
    for output in asked:
        name = str(_object(output, "an output").get("name"))
        if name not in outputs:
            raise RequestError(f"there is no output {name!r}; this signature has {', '.join(sorted(outputs))}.")
        wanted[name] = bool(_object(output.get("parameters"), "parameters").get("binary_data", binary))
    return wanted


def _response(head: dict[str, Any], outputs: Mapping[str, np.ndarray], wanted: Mapping[str, bool]) -> Response:
    tensors, blobs = [], []
    for name, as_binary in wanted.items():
        array = outputs[name]
        tensor: dict[str, Any] = {"name": name, "datatype": _DATATYPES[_dtype(array)], "shape": list(array.shape)}
        if as_binary:
            blob = _pack(array)
            blobs.append(blob)
            tensor["parameters"] = {"binary_data_size": len(blob)}
        elif array.dtype == object:
            tensor["data"] = [base64.b64encode(value).decode() for value in array.ravel()]
        else:
            tensor["data"] = array.ravel()
        tensors.append(tensor)
    if not blobs:
        return json_response({**head, "outputs": tensors})
    text = orjson.dumps({**head, "outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = {_JSON_SIZE_HEADER: str(len(text))}
    return Response(b"".join((text, *blobs)), headers=headers, media_type="application/octet-stream")


def _pack(array: np.ndarray) -> bytes:
    if array.dtype == object:
        return b"".join(_LENGTH.pack(len(value)) + value for value in array.ravel())
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _dtype(array: np.ndarray) -> tf.DType:
    return tf.string if array.dtype == object else tf.as_dtype(array.dtype)


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(f"{name} must be a JSON object.")
    return value
