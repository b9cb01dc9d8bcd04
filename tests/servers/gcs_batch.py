"""Cloud Storage's batch requests: one multipart/mixed body in, each request in it asked, one body of their answers out.

https://cloud.google.com/storage/docs/batch
"""

from collections.abc import Callable
from email.parser import BytesParser
from urllib.parse import urlsplit

from .google_rest import Answer, Request

PATH = "/batch/storage/v1"
_BOUNDARY = "loopback"


def answer(batch: Request, ask: Callable[[Request], Answer]) -> Answer:
    """Asks what is in `batch`, one after the other."""
    head = f"Content-Type: {batch.headers['content-type']}\r\n\r\n".encode()
    parts = [_part(ask(_request(part.get_payload()))) for part in BytesParser().parsebytes(head + batch.body).walk()
             if part.get_content_type() == "application/http"]  # fmt: skip
    body = b"".join(b"--%s\r\n%s\r\n" % (_BOUNDARY.encode(), part) for part in parts) + f"--{_BOUNDARY}--".encode()
    return Answer(200, body, {"Content-Type": f"multipart/mixed; boundary={_BOUNDARY}"})


def _request(text: str) -> Request:
    line, _, rest = text.replace("\r\n", "\n").partition("\n")
    head, _, body = rest.partition("\n\n")
    method, url, _ = line.split(" ", 2)
    parts = urlsplit(url)
    headers = dict(header.split(": ", 1) for header in head.splitlines() if ": " in header)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Request(method, parts.netloc, path, {name.lower(): value for name, value in headers.items()}, body.encode())


def _part(one: Answer) -> bytes:
    head = f"Content-Type: application/http\r\n\r\nHTTP/1.1 {one.status} {'OK' if one.status < 300 else 'Refused'}\r\n"
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + one.body
