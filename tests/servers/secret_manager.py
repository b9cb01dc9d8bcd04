"""Google Secret Manager's AccessSecretVersion on loopback, over gRPC, for the real client."""

from concurrent import futures

import grpc
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.cloud.secretmanager_v1.types import AccessSecretVersionRequest, AccessSecretVersionResponse

METHOD = "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion"


class LoopbackSecretManager(grpc.GenericRpcHandler):
    """A context manager; `secrets` maps "projects/P/secrets/S/versions/V" to bytes, `refusal` is for any other name."""

    def __init__(self, secrets: dict[str, bytes], refusal: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED) -> None:
        self.secrets, self.refusal = secrets, refusal
        self._server = grpc.server(futures.ThreadPoolExecutor(1))
        self._server.add_generic_rpc_handlers([self])
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> "LoopbackSecretManager":
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.stop(None)

    def client(self) -> SecretManagerServiceClient:
        channel = grpc.insecure_channel(f"127.0.0.1:{self._port}")
        return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if details.method != METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._access,
            request_deserializer=AccessSecretVersionRequest.deserialize,
            response_serializer=AccessSecretVersionResponse.serialize,
        )

    def _access(
        self, request: AccessSecretVersionRequest, context: grpc.ServicerContext
    ) -> AccessSecretVersionResponse:
        if request.name not in self.secrets:
            context.abort(self.refusal, "denied")
        return AccessSecretVersionResponse(name=request.name, payload={"data": self.secrets[request.name]})
