"""Events that were handled, as the book remembers them: whoever gets one again answers with what was done then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from gradeonce.gcp.completion import Completion
from gradeonce.schema import HANDLED_EVENTS

if TYPE_CHECKING:
    from gradeonce.warehouses.base import Warehouse

KEPT_DAYS = 45
"""How long an event is remembered: a topic can bring back what it holds, which is 31 days at most."""


@dataclass(frozen=True)
class Handled:
    """An event that was handled.

    Attributes:
        completion: What became of it.
        is_published: Whether the topic has taken that.
    """

    completion: Completion
    is_published: bool


class HandledEvents:
    """What one book remembers of events.

    Guarantee: of several who keep the same event at once, one is told that he did; all read the same afterwards.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._seen: list[dict[str, Any]] = []

    def find(self, event_id: str) -> Handled | None:
        """Return what became of an event; None while nobody has handled it to the end."""
        self._seen = self._warehouse.kept(HANDLED_EVENTS).dicts()
        row = next((row for row in self._seen if row["event_id"] == event_id), None)
        if row is None:
            return None
        return Handled(Completion.from_json(row["completion_json"]), row["published_at"] is not None)

    def keep(self, completion: Completion, now: datetime) -> bool:
        """Remember what became of an event. Return False if somebody else did just now; his stands."""
        return self._warehouse.keep(HANDLED_EVENTS, [self._row(completion, now, None)], replace=False) == 1

    def keep_published(self, completion: Completion, now: datetime) -> None:
        """Remember that the topic has taken the completion of an event."""
        self._warehouse.keep(HANDLED_EVENTS, [self._row(completion, now, now)])

    def forget_old(self, now: datetime) -> None:
        """Drop events that can come no more, as far as `find` has seen them."""
        before = (now - timedelta(days=KEPT_DAYS)).replace(tzinfo=None)
        old = [{"event_id": row["event_id"]} for row in self._seen if row["handled_at"] < before]
        if old:
            self._warehouse.drop_kept(HANDLED_EVENTS, old)

    def _row(self, completion: Completion, now: datetime, published_at: datetime | None) -> dict[str, Any]:
        # Any: a value for each column.
        return {
            "event_id": completion.event_id,
            "target_date": date.fromisoformat(completion.target_date),
            "status": completion.status,
            "run_id": completion.run_id or None,
            "correlation_id": completion.correlation_id,
            "handled_at": now,
            "completion_json": completion.to_json(),
            "published_at": published_at,
        }
