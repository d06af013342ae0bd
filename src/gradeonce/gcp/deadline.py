"""The time that the platform gives one message, and leases that do not outlast it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gradeonce.clock import Clock
from gradeonce.errors import ConfigError, TransientWarehouseError
from gradeonce.leases.store import LeaseRecord, LeaseStore

if TYPE_CHECKING:
    from gradeonce.config import Settings

PLATFORM_VARIABLES = ("CLOUD_RUN_TIMEOUT_SECONDS", "FUNCTION_TIMEOUT_SEC")
"""Where a platform says how long a request may take, if it does."""

SHORTEST_SECONDS = 60.0
"""What is taken when nobody says: the shortest that a function is given by default."""

WAIT_SHARE = 0.5
"""Share of the time left that may be waited for a lease; the rest is for the grading itself."""


def platform_seconds(settings: Settings, environment: Mapping[str, str] | None = None) -> float:
    """Return how long one message may take.

    Raises:
        ConfigError: If a variable of the platform holds no number.
    """
    if settings.timeout_seconds:
        return settings.timeout_seconds
    environment = os.environ if environment is None else environment
    for name in PLATFORM_VARIABLES:
        text = environment.get(name, "").strip()
        if text:
            try:
                return max(1.0, float(text))
            except ValueError as error:
                raise ConfigError(
                    f"{name} is {text!r}; expected a number of seconds.", hint="Set [function] timeout_seconds."
                ) from error
    return SHORTEST_SECONDS


@dataclass(frozen=True)
class Deadline:
    """When the platform will have stopped waiting for us, on our own clock.

    Attributes:
        clock: Time.
        seconds: How long there was when it began.
        ends_at: Monotonic seconds of that clock.
    """

    clock: Clock
    seconds: float
    ends_at: float

    @staticmethod
    def after(seconds: float, clock: Clock) -> Deadline:
        """Return the deadline that is so far away from now."""
        return Deadline(clock, seconds, clock.monotonic() + seconds)

    @property
    def left_seconds(self) -> float:
        """Time left; 0 once it is over."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    def bounded(self, settings: Settings) -> Settings:
        """Return the settings with leases no longer than the whole time, and waits that leave time to grade."""
        return replace(
            settings,
            # Not the time left: everybody must ask for leases of the same length, or none could judge another's end.
            ttl_seconds=min(settings.ttl_seconds, self.seconds),
            wait_seconds=min(settings.wait_seconds, self.left_seconds * WAIT_SHARE),
        )


class LeasesUntil:
    """A lease store whose claims are renewed until the deadline, and no longer.

    Guarantee: a run that the platform has given up, but not ended, holds its lease for at most one ttl more; then the
    delivery that replaces it gets on. The run itself notices that its lease is lost, and publishes nothing.
    Limit: as with every lease, the fence is what keeps two publishes apart.
    """

    def __init__(self, store: LeaseStore, deadline: Deadline) -> None:
        self._store, self._deadline = store, deadline

    def try_acquire(self, key: str, *, holder: str, ttl_seconds: float, floor: int) -> LeaseRecord:
        """See `LeaseStore.try_acquire`."""
        return self._store.try_acquire(key, holder=holder, ttl_seconds=ttl_seconds, floor=floor)

    def renew(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.renew`.

        Raises:
            TransientWarehouseError: If the deadline has passed; the lease then runs out.
        """
        if not self._deadline.left_seconds:
            raise TransientWarehouseError("The time that the platform gives is over, and leases are not renewed.")
        return self._store.renew(key, holder=holder, token=token)

    def release(self, key: str, *, holder: str, token: int) -> bool:
        """See `LeaseStore.release`."""
        return self._store.release(key, holder=holder, token=token)

    def break_claim(self, key: str, *, token: int) -> bool:
        """See `LeaseStore.break_claim`."""
        return self._store.break_claim(key, token=token)

    def records(self) -> list[LeaseRecord]:
        """See `LeaseStore.records`."""
        return self._store.records()

    def close(self) -> None:
        """See `LeaseStore.close`."""
        self._store.close()
