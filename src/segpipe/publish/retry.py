"""Repeats a step that talks to the Hub as often as makes sense, or says in a sentence why not.

A step reads the Hub's state anew each time it runs, so a try whose answer was lost costs nothing: the next one finds
the work done.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import httpx2
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import parse_ratelimit_headers

from segpipe.errors import RunError, SegpipeError, UserError

Result = TypeVar("Result")

PASSING = frozenset({408, 409, 412, 423, 425, 429, 500, 502, 503, 504})
"""Statuses that another try may not meet. 409: another operation is under way; 412: the branch moved meanwhile."""


@dataclass(frozen=True)
class Retry:
    """How often and how patiently.

    Attributes:
      attempts: in all.
      first_wait_s: after the first try; doubles with each.
      longest_asked_s: where the Hub says when to come back, that goes before, up to this. It counts an account's
        requests in windows of five minutes: https://huggingface.co/docs/hub/rate-limits.
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_asked_s: float = 301.0

    def run(self, step: Callable[[], Result], repo_id: str, token_name: str) -> Result:
        """The result of `step`.

        Raises:
          UserError: the token, its rights or the repository's name are wrong; trying again would not help.
          RunError: the Hub kept failing, or could not be reached.
        """
        wait_s = self.first_wait_s
        for attempt in range(1, self.attempts + 1):
            try:
                return step()
            except SegpipeError:
                raise
            except Exception as error:
                cause = _cause(error)
                if cause is None:
                    raise
                if attempt == self.attempts or not _passes(cause):
                    raise _explained(cause, repo_id, token_name, attempt) from error
                asked_s = _asked_wait_s(cause)
                time.sleep(wait_s if asked_s is None else min(asked_s, self.longest_asked_s))
                wait_s *= 2
        raise ValueError(f"attempts must be at least 1, got {self.attempts}.")


def _cause(error: BaseException | None) -> HfHubHTTPError | httpx2.TransportError | None:
    """The HTTP failure behind an exception: the client wraps those of large uploads in a RuntimeError."""
    while error is not None and not isinstance(error, HfHubHTTPError | httpx2.TransportError):
        error = error.__cause__
    return error


def _passes(error: HfHubHTTPError | httpx2.TransportError) -> bool:
    return not isinstance(error, HfHubHTTPError) or error.response.status_code in PASSING


def _asked_wait_s(error: HfHubHTTPError | httpx2.TransportError) -> float | None:
    """How long the Hub asks to wait, by its RateLimit or Retry-After header."""
    if not isinstance(error, HfHubHTTPError):
        return None
    limit = parse_ratelimit_headers(error.response.headers)
    if limit is not None and limit.remaining == 0:
        return limit.reset_in_seconds + 1  # The Hub rounds down.
    asked = error.response.headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else None


def _explained(
    error: HfHubHTTPError | httpx2.TransportError, repo_id: str, token_name: str, attempts: int
) -> SegpipeError:
    """One sentence; never with the token, nor with what the server said in full."""
    if not isinstance(error, HfHubHTTPError):
        return RunError(f"the Hub could not be reached for {repo_id} ({type(error).__name__}); run the command again.")
    status = error.response.status_code
    if status == 401:
        return UserError(f"the Hub does not know the token in {token_name} (401); make a new one with write access.")
    if status == 403:
        return UserError(
            f"the token in {token_name} may not write to {repo_id} (403); give it write access, or change hub.username."
        )
    if status == 404:
        return UserError(f"the Hub has no {repo_id} that the token in {token_name} can see (404); check the name.")
    if status in PASSING:
        reason = {409: "is busy with", 412: "keeps changing", 429: "limits this account's requests to"}
        return RunError(
            f"the Hub {reason.get(status, 'failed on')} {repo_id} ({status}, {attempts} tries); run the command again "
            "later: what is uploaded is kept."
        )
    said = (error.server_message or "no reason given").splitlines()[0]
    return UserError(f"the Hub refused {repo_id} ({status}): {said}.")
