"""Reads an access token by its name at the moment of use, and stores it nowhere.

env:VARIABLE           an environment variable
secret:projects/P/…    a secret of Google Secret Manager, its latest version unless one is named
oidc                   a CI job's identity, exchanged at the Hub for a token of an hour that writes to one repository
"""

import os
import urllib.parse
from typing import Any

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session, hf_raise_for_status

from segpipe.config.hub import check_token_name
from segpipe.errors import ConfigError, RunError, UserError
from segpipe.publish.retry import PASSING

TIMEOUT_S = 30


def read(name: str, resource: str, endpoint: str, secret_client: Any = None) -> str:
    """The value of the token that `name` names.

    Args:
      name: env:VARIABLE, secret:projects/P/secrets/S[/versions/V] or oidc.
      resource: the repository to write to, as in "user/pets" or "spaces/user/pets"; an OIDC token is good for it alone.
      endpoint: the Hub's address.
      secret_client: a SecretManagerServiceClient; made from the surroundings' Google credentials when left out.

    Raises:
      ConfigError: `name` is none of the three forms, or there is no such variable.
      UserError: the secret or the identity is refused.
      RunError: Google Secret Manager does not answer, although its client tried again.
      HfHubHTTPError, httpx2.TransportError: GitHub or the Hub fails in a way that may pass: `Retry` is for these.
    """
    try:
        check_token_name(name)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if name == "oidc":
        return _exchange(_identity(endpoint), resource, endpoint)
    kind, _, key = name.partition(":")
    return _variable(key) if kind == "env" else _secret(key, secret_client)


def _variable(key: str) -> str:
    value = os.environ.get(key, "").strip()
    if not value:
        raise ConfigError(f"the access token is read from the environment variable {key}, which is not set; export it.")
    return value


def _secret(key: str, client: Any) -> str:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    path = key if "/versions/" in key else f"{key}/versions/latest"
    try:
        client = _secret_client() if client is None else client
        payload = client.access_secret_version(name=path, timeout=TIMEOUT_S).payload
    except exceptions.PermissionDenied:
        raise UserError(
            f"Google Secret Manager refused {path}; grant roles/secretmanager.secretAccessor on it to the account that "
            "runs this step."
        ) from None
    except exceptions.NotFound:
        raise UserError(f"Google Secret Manager has no {path}; create it, or name another.") from None
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        raise RunError(
            f"Google Secret Manager gave no {path} ({type(error).__name__}); run the command again."
        ) from None
    except GoogleAuthError as error:
        raise UserError(f"reading {path} needs Google credentials: {str(error).splitlines()[0]}") from None
    return payload.data.decode().strip()


def _secret_client() -> Any:
    try:
        from google.cloud.secretmanager import SecretManagerServiceClient
    except ImportError:
        raise ConfigError("a token in Google Secret Manager needs `pip install segpipe[vertex]`.") from None
    return SecretManagerServiceClient()


def _identity(audience: str) -> str:
    """This CI job's identity, signed by GitHub for `audience`.

    https://docs.github.com/en/actions/reference/security/oidc: the variables exist in jobs with `id-token: write`.
    """
    url = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    bearer = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not bearer:
        raise ConfigError("oidc needs a GitHub Actions job with `permissions: id-token: write`; this is none.")
    query = urllib.parse.urlencode({"audience": audience})
    address = f"{url}{'&' if '?' in url else '?'}{query}"  # httpx's own `params` would replace GitHub's.
    response = get_session().get(address, headers={"Authorization": f"Bearer {bearer}"}, timeout=TIMEOUT_S)
    return _content(response, "GitHub did not sign this job's identity")["value"]


def _exchange(identity: str, resource: str, endpoint: str) -> str:
    """Trades an identity for a token (RFC 8693), as https://huggingface.co/docs/hub/trusted-publishers describes."""
    body = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "subject_token": identity,
        "resource": resource,
    }
    response = get_session().post(f"{endpoint}/oauth/token", json=body, timeout=TIMEOUT_S)
    return _content(response, f"the Hub has no trusted publisher for {resource} that matches this job")["access_token"]


def _content(response: httpx2.Response, refusal: str) -> dict[str, str]:
    try:
        hf_raise_for_status(response)
    except HfHubHTTPError as error:
        if response.status_code in PASSING:
            raise
        raise UserError(f"{refusal} ({response.status_code}).") from error
    return response.json()
