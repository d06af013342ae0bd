"""The batches that are staged and consolidated: a few predictions a write, some of them rivals for one key."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gradeonce.schema import PREDICTIONS, STAGED_PREDICTIONS
from gradeonce.statements import statement
from gradeonce.warehouses.base import Warehouse

MOVE_ON_SECONDS = 10.0
"""Every so often a fresh batch comes into play, with a date of its own."""

BATCHES_IN_PLAY = 2

RIVAL_KEYS = 4
"""Keys that every write of a batch predicts for again: the latest of each counts."""

FIRST_DATE = date(2026, 1, 1)

_HEADER = "system_id,player_lookup,game_id,game_date,predicted_value,line_value,created_at,prediction_id"


@dataclass(frozen=True)
class StagedPick:
    """One prediction.

    Attributes:
        name: Its prediction_id, which no other has.
        key: Its player; the rest of the business key is the same in the whole batch.
        created: When it was made, in microseconds of its date.
    """

    name: str
    key: str
    created: int


def batch_name(number: int) -> str:
    """Return the name of a batch."""
    return f"batch-{number:04d}"


def date_of(batch: str) -> str:
    """Return the date that a batch predicts for."""
    return (FIRST_DATE + timedelta(days=int(batch.rsplit("-", 1)[1]))).isoformat()


def batches_in_play(elapsed_seconds: float, *, before: int = 0) -> list[str]:
    """Return the batches that are worked on at this time, with some of those before them."""
    first = int(elapsed_seconds // MOVE_ON_SECONDS)
    return [batch_name(number) for number in range(max(0, first - before), first + BATCHES_IN_PLAY)]


def make_picks(batch: str, write: str, chance: random.Random) -> list[StagedPick]:
    """Return the predictions of one write: one of a key of its own, so that something is merged, and two rivals."""
    keys = [f"only{write.replace('.', 'x')}", *(f"rival{n}" for n in chance.sample(range(RIVAL_KEYS), 2))]
    return [
        StagedPick(f"{batch}.{write}.{number}", key, chance.randrange(86_400_000_000))
        for number, key in enumerate(keys)
    ]


def file_of(batch: str, picks: Sequence[StagedPick]) -> str:
    """Return the text of the file that brings these predictions."""
    day = date_of(batch)
    midnight = datetime.fromisoformat(day)
    lines = [
        f"torture,{pick.key},0022500601,{day},20,20.5,"
        f"{(midnight + timedelta(microseconds=pick.created)).isoformat(timespec='microseconds')}Z,{pick.name}"
        for pick in picks
    ]
    return "\n".join([_HEADER, *lines, ""])


def look_at_batches(warehouse: Warehouse, batches: Sequence[str]) -> dict[str, list[str]]:
    """Return, in one view, the ids of the predictions that are staged and of those that are merged."""
    dates = [date_of(batch) for batch in batches]
    sql = statement(__package__, "torture.sql", "batches")
    with warehouse.reader({STAGED_PREDICTIONS.name: None, PREDICTIONS.name: tuple(dates)}) as reader:
        rows = reader.query(sql, {"batches": list(batches), "dates": dates}).rows
    return {place: [name for name, found in rows if found == place] for place in ("staged", "merged")}
