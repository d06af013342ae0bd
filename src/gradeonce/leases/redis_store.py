"""Leases in Redis or Valkey: for several machines, without a database between them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from gradeonce.config import mask_secrets
from gradeonce.errors import ConfigError, TransientWarehouseError, WarehouseError
from gradeonce.leases.store import LeaseRecord

DEFAULT_NAME = "gradeonce:leases"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CONNECT_SECONDS = 2.0
"""How long a connection may take; a `socket_connect_timeout` in the URL wins."""

ANSWER_SECONDS = 3.0
"""How long one script may take; each touches one field, so past this the server is stuck or out of reach."""

# All leases are the fields of one hash, so that they are listed in one step and lie in one slot of a cluster. A field
# is JSON of texts: the server's own JSON of numbers keeps 14 digits only, too few for microseconds.
_PRELUDE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local stamp = string.format('%.0f', now)
local text = ARGV[1] and redis.call('HGET', KEYS[1], ARGV[1])
local last = text and cjson.decode(text)
local function write(record)
    text = cjson.encode(record)
    redis.call('HSET', KEYS[1], ARGV[1], text)
end
"""

_ACQUIRE = f"""
{_PRELUDE}
local key, holder, ttl, floor, claim = unpack(ARGV)
if not last or last.released ~= '' or last.renewed + last.ttl * 1000000 <= now then
    write({{
        holder = holder,
        token = string.format('%.0f', math.max(last and tonumber(last.token) or 0, tonumber(floor)) + 1),
        ttl = ttl,
        acquired = stamp,
        renewed = stamp,
        released = '',
        took_over = last and last.released == '' or false,
        claim = claim,
    }})
end
return {{text, stamp}}
"""

_RENEW = f"""
{_PRELUDE}
local key, token, holder = unpack(ARGV)
if not last or last.released ~= '' or last.token ~= token or last.holder ~= holder then
    return 0
end
last.renewed = stamp
write(last)
return 1
"""

# Without a holder it is the operator's verb: whoever holds that token.
_END = f"""
{_PRELUDE}
local key, token, holder = unpack(ARGV)
if not last or last.released ~= '' or last.token ~= token or (holder and last.holder ~= holder) then
    return 0
end
last.released = stamp
write(last)
return 1
"""

_RECORDS = f"""
{_PRELUDE}
return {{redis.call('HGETALL', KEYS[1]), stamp}}
"""


class RedisLeases:
    """A lease store in one hash of a Redis or Valkey server. Threads may share it.

    Guarantee: every verb is one Lua script, judged by the server's clock; the server runs one at a time.
    Limit: what the server forgets (a restart without persistence, FLUSHALL, an eviction, a fail-over to a replica that
    lags) is as if it had never been: two holders may then believe in one lease. That is safe for what is fenced,
    because tokens start from the fence; so hand `floor` to `acquire`, as the grading does.
    """

    def __init__(self, url: str, *, name: str = DEFAULT_NAME) -> None:
        """Take note of the server; the first verb connects.

        Args:
            url: `redis://user:password@host:port/db`; `rediss://` for TLS, `valkey://` and `valkeys://` likewise.
                Options of redis-py may follow, e.g. `?ssl_ca_certs=ca.pem`.
            name: The server's key that holds the leases.

        Raises:
            ConfigError: If redis is not installed or the URL is malformed.
        """
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError as error:
            raise ConfigError(
                "Leases in Redis or Valkey need redis, which is not installed.",
                hint="pip install 'gradeonce[redis]'",
            ) from error
        # Once more, for a connection that a restart of the server has cut; not after a time-out.
        again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        try:
            parts = urlsplit(url)
            self._where = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
            self._client = redis.Redis.from_url(
                re.sub("^valkey", "redis", url),
                socket_connect_timeout=CONNECT_SECONDS,
                socket_timeout=ANSWER_SECONDS,
                decode_responses=True,
                retry=again,
                retry_on_error=[redis.ConnectionError],
            )
        except (ValueError, TypeError):
            # The message may quote the part that cannot be read, which may be the password: so no cause either.
            raise ConfigError(
                "The URL of the lock store is malformed.",
                hint="Write redis://user:password@host:port/db, with %-escapes for special characters.",
            ) from None
        self._password = unquote(parts.password or "")
        self._name = name
        self._acquire = self._client.register_script(_ACQUIRE)
        self._renew = self._client.register_script(_RENEW)
        self._end = self._client.register_script(_END)
        self._records = self._client.register_script(_RECORDS)

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        # Should the answer be lost with the connection, the second try finds its own claim by this mark.
        claim = os.urandom(8).hex()
        with self._translated():
            answer = self._acquire([self._name], [key, holder, repr(float(ttl_seconds)), floor, claim])
        text, now = cast(tuple[str, str], answer)
        return _record(key, text, int(now), claim)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`. A claim that ran out but was not taken is still ours to renew."""
        with self._translated():
            return bool(self._renew([self._name], [key, token, holder]))

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        with self._translated():
            return bool(self._end([self._name], [key, token, holder]))

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        with self._translated():
            return bool(self._end([self._name], [key, token]))

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        with self._translated():
            flat, now = cast(tuple[list[str], str], self._records([self._name]))
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        return [_record(key, found[key], int(now), "") for key in sorted(found)]

    def close(self) -> None:
        """See `LeaseStore.close`."""
        self._client.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import redis

        try:
            yield
        except (redis.RedisError, OSError) as error:
            text = mask_secrets(" ".join(str(error).split()))
            if self._password:
                text = text.replace(self._password, "***")
            kind = TransientWarehouseError if _is_transient(error) else WarehouseError
            raise kind(f"The lock store, Redis at {self._where}, failed: {text.rstrip('.')}.") from error


def _is_transient(error: Exception) -> bool:
    from redis import exceptions

    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return False
    # An answer will be given again; unless a fail-over is going on, or memory is short.
    passing = (exceptions.ReadOnlyError, exceptions.ClusterDownError, exceptions.TryAgainError)
    if isinstance(error, (*passing, exceptions.OutOfMemoryError)):
        return True
    return not isinstance(error, exceptions.ResponseError) or str(error).startswith(("BUSY", "NOREPLICAS"))


def _record(key: str, text: str, now: int, claim: str) -> LeaseRecord:
    # Any: JSON. Instants are microseconds since 1970 by the server's clock.
    fields: dict[str, Any] = json.loads(text)
    ttl = float(fields["ttl"])
    return LeaseRecord(
        key=key,
        holder=fields["holder"],
        token=int(fields["token"]),
        ttl_seconds=ttl,
        acquired_at=_instant(fields["acquired"]),
        renewed_at=_instant(fields["renewed"]),
        released_at=_instant(fields["released"]) if fields["released"] else None,
        expires_in_seconds=(int(fields["renewed"]) - now) / 1e6 + ttl,
        took_over=fields["took_over"],
        is_granted=fields["claim"] == claim,
    )


def _instant(microseconds: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))
