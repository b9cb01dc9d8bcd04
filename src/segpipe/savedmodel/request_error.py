"""What can be wrong with one request, as an error that knows its HTTP status; the message is one sentence."""

from segpipe.errors import UserError

BAD_REQUEST = 400
NOT_FOUND = 404
TOO_LARGE = 413
UNSUPPORTED_MEDIA_TYPE = 415
OVERLOADED = 503


class RequestError(UserError):
    """A request that cannot be answered.

    Attributes:
      status: the HTTP status that goes with it.
    """

    def __init__(self, message: str, status: int = BAD_REQUEST):
        super().__init__(message)
        self.status = status
