"""What is found in their table before anything is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gradeonce.adopt import AdoptReport, look_at_grades
from gradeonce.migrate.theirs import Theirs
from gradeonce.statements import statement
from gradeonce.warehouses.base import Reader


@dataclass(frozen=True)
class MovedLines:
    """A pick that stands under more than one line.

    Attributes:
        game_date: Its date.
        system_id: Whose.
        player_lookup: On whom.
        game_id: In which game.
        market: On what.
        lowest_line: Its lines run from this,
        highest_line: to this.
        rows: Rows that it stands in.
    """

    game_date: str
    system_id: str | None
    player_lookup: str | None
    game_id: str | None
    market: str
    lowest_line: Decimal | None
    highest_line: Decimal | None
    rows: int


@dataclass(frozen=True)
class Findings:
    """What their table holds.

    Attributes:
        grades: Rows, dates, duplicates, null keys, confidence on two scales, outcomes.
        undated: Rows without a date; they belong nowhere, and stay where they are.
        unread: Rows with a value that cannot be read as one of its column, by column.
        moved_picks: Picks that stand under more than one line.
        moved_rows: Their rows.
        moved: The first of them.
    """

    grades: AdoptReport
    undated: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)
    moved_picks: int = 0
    moved_rows: int = 0
    moved: tuple[MovedLines, ...] = ()


def find(reader: Reader, theirs: Theirs, *, samples: int) -> Findings:
    """Look at their table; nothing is changed.

    Args:
        samples: How many picks whose line moved are shown.
    """
    _, undated, *unread = reader.query(theirs.overview).rows[0]
    counted = zip(theirs.read, unread, strict=True)
    dated = f"(SELECT * FROM ({theirs.select}) AS made WHERE game_date IS NOT NULL) AS theirs"
    grades = look_at_grades(reader.query, dated, theirs.source, theirs.mapped.lacking)
    limit = str(max(1, samples))
    moved = reader.query(statement(__package__, "migrate.sql", "moved_lines", rows=dated, limit=limit)).rows
    return Findings(
        grades=grades,
        undated=undated,
        unread={name: count for name, count in counted if count},
        moved_picks=moved[0][8] if moved else 0,
        moved_rows=int(moved[0][9]) if moved else 0,
        moved=tuple(MovedLines(*row[:8]) for row in moved[:samples]),
    )
