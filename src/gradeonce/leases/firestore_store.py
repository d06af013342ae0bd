"""Leases in Firestore: for jobs on Google Cloud, where no server of one's own is running."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from gradeonce.errors import ConfigError, TransientWarehouseError, WarehouseError
from gradeonce.leases.store import LeaseRecord

if TYPE_CHECKING:
    from google.cloud.firestore import Client, DocumentReference, DocumentSnapshot

DEFAULT_COLLECTION = "locks"

ANSWER_SECONDS = 3.0
"""How long one call may take: a client left to itself goes on trying for minutes."""

VERB_SECONDS = 4.0
"""How long the calls of one verb may take together, with those that lost a race."""

UNANSWERED_SECONDS = 0.5
"""How long a verb goes on after the first call that failed: long enough for a connection that was cut. Who waits for a
lease, and the heartbeat, come again anyway."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.5

_LEGACY = ("operation_id", "holder_id", "lock_type", "acquired_at", "expires_at", "lock_key")
"""What a document of the layout before ours holds. It had no token."""

_Answer = TypeVar("_Answer")


class _RaceLost(Exception):
    """The document was written by somebody else since we read it; or by ourselves, and the answer was lost."""


@dataclass(frozen=True)
class _Seen:
    """A document as it was read.

    Attributes:
        fields: What it holds; None: there is no document. Any: a field may hold anything.
        read_at: When, by the server's clock.
        written_at: When it was last written, by the server's clock; None: there is no document.
        version: What the next write must find unchanged.
    """

    fields: Mapping[str, Any] | None
    read_at: datetime
    written_at: datetime | None = None
    version: Any = None


class FirestoreLeases:
    """A lease store in Firestore, one document per key. Threads may share it; a forked child may not.

    Guarantee: every verb ends in one write, which the server makes only if the document is as it was read.
    Expiry is the server's read time less its time of the last write: no clock but the server's.
    Limit: whoever deletes a document deletes its token counter; tokens then start from the fence, so hand `floor` to
    `acquire`, as the grading does. So no TTL policy on these collections.
    """

    def __init__(self, url: str, *, client: Callable[[], Client] | None = None) -> None:
        """Take note of the database; the first verb connects.

        Args:
            url: `firestore://project/locks?database=name`. The lease `grading/2026-01-17` is then the document
                `grading_2026-01-17` of the collection `grading_locks`; one without a slash lies in `locks`. An empty
                project is that of the credentials. FIRESTORE_EMULATOR_HOST leads to an emulator.
            client: Makes the client; None makes one with the credentials of the environment.

        Raises:
            ConfigError: If google-cloud-firestore is not installed or the URL is malformed.
        """
        try:
            import google.cloud.firestore
        except ImportError as error:
            raise ConfigError(
                "Leases in Firestore need google-cloud-firestore, which is not installed.",
                hint="pip install 'gradeonce[gcp]'",
            ) from error
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        collection = unquote(parts.path.strip("/")) or DEFAULT_COLLECTION
        if parts.scheme != "firestore" or "/" in collection or set(options) - {"database"} or "@" in parts.netloc:
            raise ConfigError(
                "The URL of the lock store is malformed.",
                hint="Write firestore://project/collection, and ?database=name if it is not the default one.",
            )
        self._collection = collection
        project, database = parts.netloc or None, options.get("database")
        self._make = client or (lambda: google.cloud.firestore.Client(project=project, database=database))
        self._where = f"Firestore at {parts.netloc or 'the default project'}/{collection}"
        self._client: Client | None = None
        self._turn = threading.Lock()
        self._jitter = random.Random()

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        # Should the answer be lost, the next try finds its own claim by this mark.
        claim = os.urandom(8).hex()

        def step(client: Client, timeout: float) -> LeaseRecord:
            document, seen = self._find(client, key, timeout)
            last = _record(key, seen, claim, ttl_seconds)
            if last is not None and (last.is_held or last.is_granted):
                return last
            token = max(last.token if last else 0, floor) + 1
            took_over = last is not None and last.released_at is None
            fields = {
                "key": key,
                "holder": holder,
                "token": token,
                "ttl_seconds": float(ttl_seconds),
                "acquired_at": self._now(),
                "renewed_at": self._now(),
                "released_at": None,
                "took_over": took_over,
                "claim": claim,
            }
            at = self._write(client, document, seen, fields, timeout)
            return LeaseRecord(key, holder, token, ttl_seconds, at, at, None, ttl_seconds, took_over, is_granted=True)

        return self._run(step)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`. A claim that ran out but was not taken is still ours to renew."""
        return self._touch(key, token, holder, "renewed_at")

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return self._touch(key, token, holder, "released_at")

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`. A claim of the layout before ours has token 0."""
        return self._touch(key, token, None, "released_at")

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""

        def step(client: Client, timeout: float) -> list[LeaseRecord]:
            found = []
            for collection in client.collections(retry=None, timeout=timeout):
                if collection.id == self._collection or collection.id.endswith(f"_{self._collection}"):
                    for snapshot in collection.stream(retry=None, timeout=timeout):
                        seen = self._seen(snapshot)
                        # A collection of somebody else's may have such a name too.
                        if seen.fields and ("claim" in seen.fields or "expires_at" in seen.fields):
                            found.append(_record(_key_of(snapshot.id, seen.fields), seen, "", None))
            return sorted(filter(None, found), key=lambda record: record.key)

        return self._run(step)

    def close(self) -> None:
        """See `LeaseStore.close`."""
        with self._turn:
            client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def _touch(self, key: str, token: int, holder: str | None, field: str) -> bool:
        def step(client: Client, timeout: float) -> bool:
            document, seen = self._find(client, key, timeout)
            claim = _record(key, seen, "", None)
            if claim is None or claim.token != token or claim.released_at is not None:
                return False
            if holder not in (None, claim.holder):
                return False
            self._write(client, document, seen, {field: self._now()}, timeout)
            return True

        return self._run(step)

    def _find(self, client: Client, key: str, timeout: float) -> tuple[DocumentReference, _Seen]:
        """Read the document of a key, or, if there is none, the one under which the layout before ours had it."""
        lock_type, _, rest = key.partition("/") if not key.startswith("/") else ("", "", key)
        kind, name = (lock_type, rest) if rest else ("", key)
        collection = client.collection(f"{_escaped(kind)}_{self._collection}" if kind else self._collection)
        document = collection.document(f"{_escaped(kind)}_{_escaped(name)}" if kind else _escaped(name))
        seen = self._seen(document.get(retry=None, timeout=timeout))
        if seen.fields is None and kind:
            older = collection.document(_escaped(name))
            found = self._seen(older.get(retry=None, timeout=timeout))
            if found.fields is not None and _key_of(older.id, found.fields) == key:
                return older, found
        return document, seen

    def _write(
        self, client: Client, document: DocumentReference, seen: _Seen, fields: dict[str, Any], timeout: float
    ) -> datetime:
        """Write the fields if the document is as it was seen, and return when that was.

        Raises:
            _RaceLost: If it is not; nothing was written.
        """
        from google.api_core import exceptions
        from google.cloud.firestore import DELETE_FIELD

        try:
            if seen.fields is None:
                return self._written_at(document.create(fields, retry=None, timeout=timeout))
            if "key" in fields:
                fields = {**{name: DELETE_FIELD for name in _LEGACY if name in seen.fields}, **fields}
            option = client.write_option(last_update_time=seen.version)
            return self._written_at(document.update(fields, option=option, retry=None, timeout=timeout))
        except (
            exceptions.AlreadyExists,
            exceptions.FailedPrecondition,
            exceptions.NotFound,
            # Too many write the document at this moment.
            exceptions.Aborted,
        ) as error:
            raise _RaceLost from error

    def _seen(self, snapshot: DocumentSnapshot[Any]) -> _Seen:
        if not snapshot.exists:
            return _Seen(None, self._read_at(snapshot))
        return _Seen(snapshot.to_dict(), self._read_at(snapshot), self._written_at(snapshot), snapshot.update_time)

    def _now(self) -> Any:
        # Any: a mark, in whose place the server puts its own time.
        from google.cloud.firestore import SERVER_TIMESTAMP

        return SERVER_TIMESTAMP

    def _read_at(self, snapshot: DocumentSnapshot[Any]) -> datetime:
        at: datetime = snapshot.read_time
        return at

    def _written_at(self, written: Any) -> datetime:
        # Any: a snapshot, or the result of a write.
        at: datetime = written.update_time
        return at

    def _run(self, step: Callable[[Client, float], _Answer]) -> _Answer:
        """Try until the verb is done, after races that were lost and calls that were not answered."""
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        gives_up_at = time.monotonic() + VERB_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        client: Client | None = None
        while True:
            left = gives_up_at - time.monotonic()
            try:
                client = self._connected()
                return step(client, min(ANSWER_SECONDS, max(left, 0.1)))
            except _RaceLost as error:
                failed: WarehouseError = TransientWarehouseError(
                    f"The lock store, {self._where}, is written by too many at once."
                )
                failed.__cause__ = error.__cause__
            except (GoogleAPIError, GoogleAuthError, OSError) as error:
                failed = self._translated(error)
                failed.__cause__ = error
                gives_up_at = min(gives_up_at, time.monotonic() + UNANSWERED_SECONDS)
                if failed.is_transient:
                    self._give_up(client)
            # Full jitter: those who lost one race together do not meet again in the next.
            nap = self._jitter.uniform(0, pause)
            if not failed.is_transient or time.monotonic() + nap >= gives_up_at:
                raise failed
            time.sleep(nap)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _connected(self) -> Client:
        with self._turn:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _give_up(self, client: Client | None) -> None:
        # A channel that could not connect waits for up to two minutes before it tries again, too long for a lease. It
        # is not closed: another thread may be in the middle of a call.
        with self._turn:
            if self._client is client:
                self._client = None

    def _translated(self, error: Exception) -> WarehouseError:
        from google.auth.exceptions import DefaultCredentialsError

        text = " ".join(str(error).split()).rstrip(".")
        hint = ""
        if isinstance(error, DefaultCredentialsError):
            hint = "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS."
        kind = TransientWarehouseError if _is_transient(error) else WarehouseError
        return kind(f"The lock store, {self._where}, failed: {text}.", hint=hint)


def _is_transient(error: Exception) -> bool:
    from google.api_core import exceptions
    from google.auth.exceptions import TransportError

    # What the server refused (permission, a malformed name, no such database) it will refuse again.
    passing = (exceptions.ServerError, exceptions.Aborted, exceptions.TooManyRequests, exceptions.RetryError)
    return isinstance(error, (*passing, exceptions.Cancelled, TransportError))


def _record(key: str, seen: _Seen, claim: str, asked_ttl: float | None) -> LeaseRecord | None:
    fields, written_at = seen.fields, seen.written_at
    if fields is None or written_at is None:
        return None
    if "key" not in fields:
        return _legacy_record(key, fields, seen, asked_ttl)
    ttl = float(fields["ttl_seconds"])
    released_at = fields["released_at"]
    return LeaseRecord(
        key=key,
        holder=fields["holder"],
        token=int(fields["token"]),
        ttl_seconds=ttl,
        acquired_at=_utc(fields["acquired_at"]),
        renewed_at=_utc(fields["renewed_at"]),
        released_at=None if released_at is None else _utc(released_at),
        expires_in_seconds=ttl - (seen.read_at - written_at).total_seconds(),
        took_over=fields["took_over"],
        is_granted=fields["claim"] == claim,
    )


def _legacy_record(key: str, fields: Mapping[str, Any], seen: _Seen, asked_ttl: float | None) -> LeaseRecord:
    expires_at, acquired_at = fields.get("expires_at"), fields.get("acquired_at")
    if not isinstance(expires_at, datetime):
        raise WarehouseError(
            f"The document of the lease {key} is neither ours nor of the layout before ours.",
            hint="If certainly nobody holds it, delete the document: the next token still starts above the fence.",
        )
    acquired_at = acquired_at if isinstance(acquired_at, datetime) else expires_at
    released_at = fields.get("released_at")
    return LeaseRecord(
        key=key,
        holder=str(fields.get("holder_id") or fields.get("operation_id") or "somebody"),
        token=0,
        # It had an end but no ttl, so there is none to disagree with.
        ttl_seconds=(expires_at - acquired_at).total_seconds() if asked_ttl is None else asked_ttl,
        acquired_at=_utc(acquired_at),
        renewed_at=_utc(acquired_at),
        released_at=None if released_at is None else _utc(released_at),
        expires_in_seconds=(expires_at - seen.read_at).total_seconds(),
    )


def _key_of(document: str, fields: Mapping[str, Any]) -> str:
    if "key" in fields:
        return str(fields["key"])
    kind, name = fields.get("lock_type"), str(fields.get("lock_key", unquote(document)))
    return f"{kind}/{name.removeprefix(f'{kind}_')}" if kind else name


def _escaped(part: str) -> str:
    # Names of documents know no slash, and are none of "." and "..".
    text = quote(part, safe="-_~:@+,= ")
    return text.replace(".", "%2E") if set(text) == {"."} else text


def _utc(instant: datetime) -> datetime:
    return instant.astimezone(UTC)
