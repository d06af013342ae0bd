"""The workers of a torture: they publish over and over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from gradeonce.errors import GradeonceError, LeaseHeld, LeaseLost, PublishConflict, RefusedForSafety, WarehouseError
from gradeonce.leases import Lease, acquire_all
from gradeonce.publish import publish
from gradeonce.torture.actor import Actor
from gradeonce.torture.shelves import TABLE, Version, pick

AGAIN = 0.3
"""Share of publishes that are followed at once by one of the same content, which must come out unchanged."""

REFUSED_SECONDS = 0.1
"""How long a worker that must not go on without a lock store waits before it asks again."""


class Worker(Actor):
    """One life of one worker: whatever it publishes is an `attempt`, then `acknowledged`, `refused` or `failed`."""

    def turn(self, turn: int) -> None:
        """Take the leases, publish one version, at times the same once more, and let the leases go."""
        shelves = pick(self._elapsed_seconds, self._chance)
        version = Version.of(self._slot, self._life, turn)
        with ExitStack() as stack:
            try:
                leases = self._acquire(stack, shelves)
            except LeaseHeld as error:
                self._history.record("held", shelves=list(shelves), token=error.token, holder=error.holder)
                return
            except WarehouseError as error:
                # [lock] on_unavailable = "fail": a turn without a publish.
                self._history.record("unreachable", shelves=list(shelves), error=error.message)
                self._clock.sleep(REFUSED_SECONDS)
                return
            if self._controls.read().stopping:
                # The wait for a lease may have been long, and a publish may be, too.
                return
            done = self._publish(version.name, version, shelves, leases)
            if done and self._chance.random() < AGAIN and not self._controls.read().stopping:
                self._publish(f"{version.name}-again", version, shelves, leases)

    def _acquire(self, stack: ExitStack, shelves: Sequence[str]) -> list[Lease]:
        """Return the leases; none without a lock store, or when it is out of reach and the settings say to go on."""
        if self._leases is None:
            return []
        floors = self._place.floors(shelves)
        try:
            return stack.enter_context(
                acquire_all(
                    self._leases,
                    list(floors.items()),
                    ttl_seconds=self._orders.lease_seconds,
                    holder=self._who,
                    wait_seconds=2 * self._orders.lease_seconds,
                    clock=self._clock,
                    seed=self._chance.randrange(1 << 30),
                    observer=self._observe,
                )
            )
        except LeaseHeld as error:
            if not self._place.is_careless:
                raise
            self._history.record("unlocked", shelves=list(shelves), error=error.message)
            return []
        except WarehouseError as error:
            is_strict = self._orders.on_unavailable == "fail" or self._orders.algorithm == "lock-only"
            if is_strict and not self._place.is_careless:
                raise
            self._history.record("unlocked", shelves=list(shelves), error=error.message)
            return []

    def _publish(self, name: str, version: Version, shelves: Sequence[str], leases: Sequence[Lease]) -> bool:
        tokens = {} if self._place.is_careless else {lease.key: lease.token for lease in leases}
        # A run's files and revisions carry its name; a retry adds "-2" to it, which the judge takes off again.
        run_id = name.replace("-", "_")
        self._run, self._reached = run_id, ""
        self._history.record(
            "attempt",
            run=run_id,
            version=version.name,
            rows=version.rows,
            checksum=version.checksum,
            shelves=list(shelves),
            tokens=tokens,
        )
        try:
            done = publish(
                self._warehouse,
                TABLE,
                version.query(shelves, run_id),
                list(shelves),
                run_id=run_id,
                tokens=tokens or None,
                holder=self._who,
                guard=None if self._place.is_careless else _guard(leases),
                clock=self._clock,
                on_step=self._on_step,
                seed=self._chance.randrange(1 << 30),
            )
        except LeaseLost as error:
            # Without a lease nobody is stale: somebody who had one came in between.
            reason = error.reason if leases else "outrun"
            self._history.record(
                "refused", run=run_id, shelves=list(shelves), tokens=tokens, reason=reason, error=error.message
            )
            return False
        except PublishConflict as error:
            self._history.record(
                "refused", run=run_id, shelves=list(shelves), tokens=tokens, reason="conflict", error=error.message
            )
            return False
        except RefusedForSafety as error:
            if self._orders.algorithm == "gradeonce":
                raise
            # Rows stand twice by now, and gradeonce does not touch that: it cannot tell what a publish would change.
            self._history.record(
                "refused", run=run_id, shelves=list(shelves), tokens=tokens, reason="doubled", error=error.message
            )
            return False
        except GradeonceError as error:
            self._history.record(
                "failed", run=run_id, shelves=list(shelves), error=error.message, expected=error.is_transient
            )
            return False
        self._history.record(
            "acknowledged",
            run=run_id,
            shelves={
                name: {"status": part.status.value, "token": part.token, "seq": part.seq} for name, part in done.items()
            },
        )
        return True


def _guard(leases: Sequence[Lease]) -> Callable[[], None] | None:
    def check() -> None:
        for lease in leases:
            lease.check()

    return check if leases else None
