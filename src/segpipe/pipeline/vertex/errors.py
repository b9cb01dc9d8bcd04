"""Turns what Google's clients raise into one sentence that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core import exceptions as google
from google.auth import exceptions as auth

from segpipe.config.vertex import Vertex
from segpipe.errors import RunError, UserError

_NO_LOGIN = (
    "this machine has no Google login; run `gcloud auth application-default login`, or set "
    "GOOGLE_APPLICATION_CREDENTIALS to a key file."
)
_NO_WAY = "Google cannot be reached from this machine; look at the network, and at https_proxy where there is one"


@contextmanager
def in_a_sentence(doing: str, vertex: Vertex) -> Iterator[None]:
    """Turns what a Google client raises inside the block into an error of ours.

    Args:
      doing: what was tried, as in "submitting the pipeline"; the sentence begins with it.
      vertex: project, region and service account, for the commands in the sentence.

    Raises:
      UserError: something the person or the project's owner can mend.
      RunError: Google failed, did not answer in time, or could not be reached.
    """
    try:
        yield
    except (auth.TransportError, requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
        raise RunError(f"{doing} failed: {_NO_WAY} ({_first_line(error)})") from error
    except auth.GoogleAuthError as error:
        reason = "" if isinstance(error, auth.DefaultCredentialsError) else f" ({_first_line(error)})"
        raise UserError(f"{doing} failed: {_NO_LOGIN}{reason}") from error
    except google.GoogleAPICallError as error:
        mendable = isinstance(error, google.ClientError)
        raise (UserError if mendable else RunError)(f"{doing} failed: {_sentence(error, vertex)}") from error
    except google.RetryError as error:
        raise RunError(f"{doing} failed: Google did not answer in time; try again in some minutes.") from error


def _sentence(error: google.GoogleAPICallError, vertex: Vertex) -> str:
    said = _first_line(error)
    if isinstance(error, google.Unauthenticated):
        return f"{_NO_LOGIN} ({said})"
    if isinstance(error, google.Forbidden):
        return _forbidden(error, vertex, said)
    if isinstance(error, google.ResourceExhausted | google.TooManyRequests):
        return (
            f"a quota of {vertex.project} in {vertex.region} is used up ({said}); ask for more on the console's page "
            f"“Quotas” of the project, or set another vertex.region, machine_type or accelerator_type."
        )
    if isinstance(error, google.NotFound):
        return (
            f"{said}; check vertex.project ({vertex.project}), vertex.region ({vertex.region}) and the names in the "
            "config. `segpipe doctor --cloud CONFIG` looks at each."
        )
    if isinstance(error, google.AlreadyExists):
        return f"{said}; choose another name, or delete the old one first."
    if isinstance(error, google.BadRequest):
        return f"Google refused the request: {said}."
    if isinstance(error, google.GatewayTimeout):
        return "Google did not answer in time; try again in some minutes."
    return f"Google failed ({said}); try again in some minutes, https://status.cloud.google.com says what is down."


def _forbidden(error: google.GoogleAPICallError, vertex: Vertex, said: str) -> str:
    if getattr(error, "reason", None) == "SERVICE_DISABLED":
        service = (error.metadata or {}).get("service", "aiplatform.googleapis.com")
        return f"{service} is switched off; run `gcloud services enable {service} --project={vertex.project}`."
    return (
        f"permission denied ({said}); grant the account a role, as in `gcloud projects add-iam-policy-binding "
        f"{vertex.project} --member=user:YOU --role=roles/aiplatform.user`. `segpipe doctor --cloud CONFIG` lists them."
    )


def _first_line(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]
