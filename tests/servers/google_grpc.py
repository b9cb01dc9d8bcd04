"""gRPC over TLS on loopback: services as plain objects in, Google's wire protocol, its refusals included, out."""

from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import grpc
from google.longrunning import operations_pb2
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from .google_ca import Certificates

Methods = Mapping[str, Mapping[str, tuple[Any, Any]]]
"""Full name of a service → method → types of its request and answer; None where a long-running operation answers."""


@dataclass(frozen=True)
class Fault:
    """How a call goes wrong."""

    code: grpc.StatusCode
    message: str
    reason: str = ""


class RefusedError(Exception):
    """A call that the service refuses."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class Service(Protocol):
    """Answers the calls of some services: method CreateEndpoint is its create_endpoint.

    Attributes:
      METHODS: what it answers.
      calls: names of the methods called, in order.
      faults: method → Fault, or a function that gets the request and returns one or None.
    """

    METHODS: ClassVar[Methods]
    calls: list[str]
    faults: dict[str, Fault | Callable[[Any], Fault | None]]


class LoopbackGrpc:
    """The server in threads; a context manager."""

    def __init__(self, certificates: Certificates, services: Iterable[Service]) -> None:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", 64 << 20)]
        )
        for service in services:
            self._server.add_generic_rpc_handlers(_handlers(service))
        credentials = grpc.ssl_server_credentials([(certificates.key.read_bytes(), certificates.chain.read_bytes())])
        self.port = self._server.add_secure_port("127.0.0.1:0", credentials)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait(5)


def _handlers(service: Service) -> list[grpc.GenericRpcHandler]:
    return [
        grpc.method_handlers_generic_handler(
            full_name,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    _serve(service, name),
                    request_deserializer=request.deserialize,
                    response_serializer=answer.serialize if answer else operations_pb2.Operation.SerializeToString,
                )
                for name, (request, answer) in methods.items()
            },
        )
        for full_name, methods in service.METHODS.items()
    ]


def _serve(service: Service, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
    method = getattr(service, "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_"))

    def serve(request: Any, context: grpc.ServicerContext) -> Any:
        service.calls.append(name)
        fault = service.faults.get(name)
        if callable(fault):
            fault = fault(request)
        try:
            if fault is not None:
                raise RefusedError(fault.code, fault.message, fault.reason)
            return method(request)
        except RefusedError as error:
            _abort(context, error)

    return serve


def _abort(context: grpc.ServicerContext, error: RefusedError) -> None:
    status = status_pb2.Status(code=error.code.value[0], message=str(error))
    if error.reason:
        detail = any_pb2.Any()
        detail.Pack(
            error_details_pb2.ErrorInfo(
                reason=error.reason, domain="googleapis.com", metadata={"service": "aiplatform.googleapis.com"}
            )
        )
        status.details.append(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    assert status.code != code_pb2.OK
    context.abort(error.code, str(error))
