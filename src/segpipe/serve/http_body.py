"""Reads a request's body within the limit, and reads and writes JSON with orjson, arrays as they are."""

import zlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from segpipe.savedmodel.request_error import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, RequestError

_DRAINED = 10
"""So many times the limit is read and thrown away: a client that still sends would see a broken pipe, not the 413."""

_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


async def read_body(request: Request, max_body_mb: float) -> bytes:
    """The whole body, inflated where it comes as gzip or deflate.

    Raises:
      RequestError: 413 where it is larger than the limit, 415 where it comes in another encoding.
    """
    limit = int(max_body_mb * 1e6)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > _DRAINED * limit:
            break
    if size > limit:
        raise _too_large(max_body_mb)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "deflate"):
        raise RequestError(f"content-encoding is {encoding!r}; send gzip, deflate or none.", UNSUPPORTED_MEDIA_TYPE)
    inflated = _inflate(body, limit)
    if len(inflated) > limit:
        raise _too_large(max_body_mb)
    return inflated


def _inflate(body: bytes, limit: int) -> bytes:
    """The content, or a little more than `limit` of it: a bomb is not blown up."""
    inflating = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        content = inflating.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestError(f"the body is not what content-encoding says: {error}.") from None
    if not inflating.eof and len(content) <= limit:
        raise RequestError("the body is not what content-encoding says: it ends early.")
    return content


def _too_large(max_body_mb: float) -> RequestError:
    return RequestError(
        f"the request is larger than this server's {max_body_mb:g} MB; send fewer or smaller pictures.", TOO_LARGE
    )


def parse_json(body: bytes) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
      RequestError: it is not JSON, or no object.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error}.") from None
    if not isinstance(parsed, dict):
        raise RequestError(f"the body must be a JSON object, got {_kind(parsed)}.")
    return parsed


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response; NumPy arrays become nested lists."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers=headers, media_type="application/json")


def _kind(value: Any) -> str:
    return {list: "a list", str: "a string", type(None): "null"}.get(type(value), "a number")
