"""A CONNECT proxy on loopback: Google's host names in, ports of this machine out, everything else refused.

The real clients keep their real addresses (us-central1-aiplatform.googleapis.com:443 …); the environment variable
`https_proxy`, which gRPC, requests, urllib, httplib2 and TensorFlow's libcurl all read, brings them here.
"""

import contextlib
import re
import select
import socket
import socketserver
import threading
from collections.abc import Mapping
from typing import Self


class LoopbackProxy:
    """The proxy in a thread; a context manager.

    Attributes:
      routes: pattern of a whole host name → port on loopback; the first that matches wins.
      grpc_port: where a client goes that speaks HTTP/2 alone, whatever host of `routes` it asks for.
      asked: every host that a client asked for, in order.
      refused: those that no route matched.
    """

    def __init__(self, routes: Mapping[str, int], grpc_port: int) -> None:
        self.routes, self.grpc_port = dict(routes), grpc_port
        self.asked: list[str] = []
        self.refused: list[str] = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True  # Without, each small answer waits 40 ms for the client's acknowledgement.

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # A client that was killed, or wanted no answer.
                    proxy._handle(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: socketserver.StreamRequestHandler) -> None:
        method, target, _ = handler.rfile.readline().decode("ascii").split(" ", 2)
        while handler.rfile.readline() not in (b"\r\n", b""):
            pass
        host = target.rsplit(":", 1)[0]
        self.asked.append(host)
        port = next((port for pattern, port in self.routes.items() if re.fullmatch(pattern, host)), None)
        if method != "CONNECT" or port is None:
            self.refused.append(host)
            handler.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        handler.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        hello = handler.connection.recv(4096, socket.MSG_PEEK)
        if b"\x02h2" in hello and b"http/1.1" not in hello:  # the protocols that the client's TLS hello offers
            port = self.grpc_port
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _splice(handler.connection, upstream)


def _splice(one: socket.socket, other: socket.socket) -> None:
    """Passes bytes both ways until a side closes."""
    peers = {one: other, other: one}
    with contextlib.suppress(OSError):
        while True:
            for ready in select.select([one, other], [], [])[0]:
                if not (data := ready.recv(1 << 16)):
                    return
                peers[ready].sendall(data)
