"""Files of predictions for workers to stage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

HEADER = (
    "system_id,player_lookup,game_id,game_date,predicted_value,line_value,recommendation,created_at,"
    "prediction_id,is_active"
)


def pick(
    player: str,
    *,
    line: float | str = 20.5,
    at: str = "10:00",
    value: float = 20,
    game: str = "0022500601",
    day: str = "2026-01-17",
    identity: str = "",
    is_active: bool = True,
) -> str:
    """Return one row: a prediction of `value` points, created at that time of the day in UTC; "" for no time."""
    created = f"{day}T{at}:00Z" if at else ""
    return f"alpha,{player},{game},{day},{value},{line},OVER,{created},{identity},{str(is_active).lower()}"


def write_file(path: Path, rows: Iterable[str]) -> Path:
    """Write rows under the header."""
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path
