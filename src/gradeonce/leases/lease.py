"""A lease as its holder sees it: a claim with an end, and a loss that is a value."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.clock import Clock
from gradeonce.errors import GradeonceError, LeaseLost
from gradeonce.leases.store import LeaseStore

SAFETY_SHARE = 0.1
"""Share of the ttl by which the holder stops early: a rival may take over only after we have given up."""


class LossReason(StrEnum):
    """Why a lease is no longer ours."""

    EXPIRED = "expired"
    TAKEN_OVER = "taken_over"
    RELEASED = "released"


@dataclass(frozen=True)
class Loss:
    """How and when a lease was lost.

    Attributes:
        reason: Why.
        token: The fencing token that is now stale.
        at: Monotonic seconds of the holder's clock when the loss was noticed.
        cause: The store's last error, if it could not be reached; None otherwise.
    """

    reason: LossReason
    token: int
    at: float
    cause: GradeonceError | None = None


class Lease:
    """A claim on one key.

    Guarantee: while `lost` is None and both clocks run at the same pace, no other holder was granted the key.
    Limit: a process that is paused cannot notice; between the check and the write anything may pass.
    What the caller must do: hand `token` to the resource, and have the resource refuse a token below the highest it
    has seen. The lease is for efficiency and order; the fence is for correctness.
    """

    def __init__(
        self, store: LeaseStore, key: str, *, holder: str, token: int, ttl_seconds: float, asked_at: float, clock: Clock
    ) -> None:
        self.key = key
        self.holder = holder
        self.token = token
        self.ttl_seconds = ttl_seconds
        self._store = store
        self._clock = clock
        self._turn = threading.Lock()
        self._deadline = asked_at + ttl_seconds * (1 - SAFETY_SHARE)
        self._loss: Loss | None = None
        self._last_error: GradeonceError | None = None

    @property
    def lost(self) -> Loss | None:
        """The loss, once there is one; it never goes away again."""
        with self._turn:
            now = self._clock.monotonic()
            if self._loss is None and now >= self._deadline:
                self._loss = Loss(LossReason.EXPIRED, self.token, now, self._last_error)
            return self._loss

    @property
    def remaining_seconds(self) -> float:
        """Time left on the holder's own clock before it must stop; 0 once lost."""
        with self._turn:
            return 0.0 if self._loss else max(0.0, self._deadline - self._clock.monotonic())

    def check(self) -> None:
        """Raise LeaseLost if the lease is no longer ours."""
        loss = self.lost
        if loss is not None:
            detail = f"The lock store was out of reach: {loss.cause.message}" if loss.cause else ""
            raise LeaseLost(self.key, token=self.token, reason=loss.reason, detail=detail)

    def renew(self) -> bool:
        """Ask the store for a new term; False once the lease is lost.

        A store that cannot be reached is not yet a loss: passing the deadline is.
        """
        if self.lost is not None:
            return False
        # The term is counted from before the request was sent: the store may have granted it that early.
        asked_at = self._clock.monotonic()
        try:
            renewed = self._store.renew(self.key, holder=self.holder, token=self.token)
        except GradeonceError as error:
            with self._turn:
                self._last_error = error
            return self.lost is None
        with self._turn:
            if self._loss is not None:
                return False
            if not renewed:
                self._loss = Loss(LossReason.TAKEN_OVER, self.token, self._clock.monotonic())
                return False
            self._deadline = asked_at + self.ttl_seconds * (1 - SAFETY_SHARE)
            self._last_error = None
            return True

    def release(self) -> bool:
        """Let go; False if it was no longer ours. Afterwards the lease counts as lost (released)."""
        with self._turn:
            if self._loss is None:
                self._loss = Loss(LossReason.RELEASED, self.token, self._clock.monotonic())
        return self._store.release(self.key, holder=self.holder, token=self.token)
