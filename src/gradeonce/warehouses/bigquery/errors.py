"""The driver's errors as ours, decided once: which are worth another try, and what to type next."""

from __future__ import annotations

import re

from gradeonce.errors import (
    ConfigError,
    GradeonceError,
    TransientWarehouseError,
    UsageError,
    WarehouseError,
)

# Told by status and reason, which are documented, and by words only where BigQuery gives no reason of its own: a
# transaction that lost against another one is a plain "invalidQuery".
_TRANSIENT_REASONS = {
    "backendError",
    "internalError",
    "jobBackendError",
    "jobInternalError",
    "jobRateLimitExceeded",
    "rateLimitExceeded",
    "tableUnavailable",
}
_CONFLICT = re.compile(r"concurrent (update|transaction)|conflict|could not serialize|failed to commit", re.IGNORECASE)
_TOO_DEAR = re.compile(r"exceeded limit for bytes billed", re.IGNORECASE)
_PLACE = re.compile(r"at \[\d+:\d+\]")
"""What a statement that is not one is told by: its place in the text. A value that does not fit has none."""

_NOT_FOUND = re.compile(r"not found: (table|dataset)|does not exist", re.IGNORECASE)


def translated(error: Exception) -> GradeonceError:
    """Return our error for one of the driver's, or of the network's under it."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAuthError):
        return ConfigError(
            f"Google would not say who we are: {_first_line(error)}",
            hint="Run `gcloud auth application-default login`, or give the service account a key or an identity.",
        )
    if not isinstance(error, exceptions.GoogleAPICallError):
        return TransientWarehouseError(
            f"BigQuery is out of reach: {_first_line(error)}", hint="Check the network, then run the same again."
        )
    text = _first_line(error)
    reasons = {str(part.get("reason", "")) for part in error.errors if isinstance(part, dict)}
    if is_conflict(error) or reasons & _TRANSIENT_REASONS or (error.code or 0) in (429, 500, 502, 503, 504):
        return TransientWarehouseError(f"BigQuery took the transaction back: {text}", hint="Run the same again.")
    if "bytesBilledLimitExceeded" in reasons or _TOO_DEAR.search(text):
        return ConfigError(
            f"BigQuery refused a query that would bill more than [warehouse] maximum_bytes_billed: {text}",
            hint="See what a grading reads with `gradeonce grade --estimate`; raise the limit, or grade fewer dates.",
        )
    if isinstance(error, exceptions.Forbidden):
        return WarehouseError(f"BigQuery refused: {text}", hint="Grant the role what it lacks, or use another account.")
    if isinstance(error, exceptions.NotFound) or _NOT_FOUND.search(text):
        return WarehouseError(f"BigQuery: {text}", hint="Make or migrate the tables with `gradeonce init`.")
    if isinstance(error, exceptions.BadRequest) and _PLACE.search(text):
        return UsageError(f"The query is not valid: {text}")
    return WarehouseError(f"BigQuery failed: {text}")


def bad_request() -> type[Exception]:
    """Return the driver's error for a question that is wrong in itself."""
    from google.api_core.exceptions import BadRequest

    return BadRequest


def is_conflict(error: Exception) -> bool:
    """Say whether a transaction was aborted because another one changed the same table."""
    return bool(_CONFLICT.search(str(error)))


def driver_missing(error: ImportError) -> ConfigError:
    """Return the error that names the extra to install."""
    return ConfigError(
        f"A book in BigQuery needs the driver google-cloud-bigquery, which cannot be imported ({error}).",
        hint="Install it: pip install 'gradeonce[gcp]'",
    )


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error).strip()
    # The address of the request stands before what it said.
    return re.sub(r"^(\d+ )?(GET|POST|PUT|PATCH|DELETE) \S+: ", "", text.splitlines()[0] if text else repr(error))[:400]
