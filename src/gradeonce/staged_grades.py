"""What staged grades amount to, before anyone can read them: counts, what does not count, what cannot meet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from gradeonce import rules
from gradeonce.errors import InputError
from gradeonce.model import Query
from gradeonce.players import nearest_in_partitions, nearest_in_partitions_sql
from gradeonce.publish import Judgement
from gradeonce.schema import ACTUALS, OUTCOMES, PREDICTIONS
from gradeonce.statements import fill, statement
from gradeonce.warehouses.base import Stage

NO_COUNTS = {"predictions": 0, **dict.fromkeys(OUTCOMES, 0)}
"""The counts of a date without predictions."""


@dataclass(frozen=True)
class OutcomeChange:
    """What a dry run would do to rows that change alike.

    Attributes:
        before: Their outcome now; None: they would be new.
        after: Their outcome afterwards; None: they would be gone.
        reason: Why.
        rows: How many.
        examples: One or two of their business keys, as JSON.
    """

    before: str | None
    after: str | None
    reason: str
    rows: int
    examples: tuple[str, ...]


def judge_staged(
    stage: Stage,
    partitions: Sequence[str],
    query: Query,
    waits: Mapping[str, float],
    seconds: float,
    *,
    taken_over: Collection[str] = (),
) -> dict[str, Judgement]:
    """Count the staged grades of each date, and hold back a date of which nothing is final yet.

    Args:
        stage: The staged grades.
        partitions: The dates.
        query: What staged them; its values are bound again.
        waits: Seconds waited for each date's lease, for the ledger.
        seconds: How long the run took so far, for the ledger.
        taken_over: Dates whose lease was taken over from a holder that let it run out, for the ledger.

    Raises:
        InputError: If no game id of a date can meet a box score.
    """
    counted = {row["partition"]: row for row in stage.query(rules.counts_sql()).dicts()}
    excluded = _excluded(stage, query, counted)
    ungradable = sum(int(row["ungradable"]) for row in counted.values())
    missing = _missing_players(stage) if ungradable else {}
    unmatched = sum(player["predictions"] for players in missing.values() for player in players)
    lacking = _missing_markets(stage) if ungradable > unmatched else {}
    collisions = dict(
        stage.query(statement("gradeonce.rules", "validate.sql", "collisions", actuals=ACTUALS.name), query.params).rows
    )
    judged = {}
    for partition in partitions:
        row = counted.get(partition)
        details: dict[str, Any] = {
            "rules_version": rules.RULES_VERSION,
            "excluded": excluded.get(partition, {}),
            "actual_collisions": collisions.get(partition, 0),
            "lock_wait_seconds": round(waits[partition], 6),
            **({"took_over": True} if partition in taken_over else {}),
            "duration_seconds": seconds,
            # What is loaded after this instant may not be in these grades, even if it was loaded before their commit.
            "inputs_read_at": f"{query.params['graded_at'].isoformat(timespec='microseconds')}+00:00",
        }
        if row is None:
            judged[partition] = Judgement({**details, "counts": dict(NO_COUNTS), "n": 0}, hold_back=True)
            continue
        counts = {name: int(row[name]) for name in ("predictions", *OUTCOMES)}
        all_pending = counts["pending"] == counts["predictions"]
        foreign = _foreign_ids(stage, partition, all_pending=all_pending) if counts["pending"] else []
        details |= {
            "counts": counts,
            "n": int(row["n"]),
            "mae": float(row["sum_absolute_error"] / row["n"]) if row["n"] else None,
            "bias": float(row["sum_signed_error"] / row["n"]) if row["n"] else None,
            "games": row["games"],
            "games_final": row["games_final"],
            "missing_players": missing.get(partition, []) if counts["ungradable"] else [],
            **({"missing_markets": lacking[partition]} if partition in lacking else {}),
            **({"foreign_ids": foreign} if foreign else {}),
        }
        judged[partition] = Judgement(details, hold_back=all_pending)
    return judged


def staged_changes(stage: Stage, replaced: Sequence[str], compared: Sequence[str]) -> dict[str, list[OutcomeChange]]:
    """Return, per date, what would change, by outcome before and after."""
    changed = stage.query(statement("gradeonce.rules", "validate.sql", "changes")).rows if compared else []
    first = statement("gradeonce.rules", "validate.sql", "first_changes", key_json=stage.key_json())
    fresh = [date.fromisoformat(partition) for partition in replaced if partition not in set(compared)]
    if fresh:
        changed += stage.query(first, {"dates": fresh}).rows
    found: dict[str, list[OutcomeChange]] = {}
    for partition, before, after, reason, rows, *keys in changed:
        change = OutcomeChange(before, after, reason, rows, tuple(dict.fromkeys(keys)))
        found.setdefault(partition, []).append(change)
    return found


def _excluded(stage: Stage, query: Query, counted: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return, per date, how many predictions do not count, by reason."""
    found: dict[str, dict[str, int]] = {}
    rivals: dict[str, int] = {}
    for partition, reason, count in stage.query(rules.excluded_sql(PREDICTIONS.name), query.params).rows:
        if reason is None:
            rivals[partition] = count
        else:
            found.setdefault(partition, {})[reason] = count
    for partition, count in rivals.items():
        superseded = count - (int(counted[partition]["predictions"]) if partition in counted else 0)
        if superseded:
            found.setdefault(partition, {})["superseded"] = superseded
    return found


def _missing_players(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    missing = stage.query(statement("gradeonce.rules", "validate.sql", "missing_players")).rows
    if not missing:
        return {}
    dates = [date.fromisoformat(partition) for partition in dict.fromkeys(partition for partition, _, _ in missing)]
    who = statement("gradeonce.rules", "validate.sql", "players_of_dates", actuals=ACTUALS.name)
    if stage.compares_texts:
        unmatched = f"({statement('gradeonce.rules', 'validate.sql', 'missing_players')})"
        near = stage.query(nearest_in_partitions_sql(unmatched, f"({who})"), {"dates": dates}).rows
    else:
        played = stage.query(who, {"dates": dates}).rows
        near = nearest_in_partitions([row[:2] for row in missing], played)
    nearest = {(partition, player): names for partition, player, names in near}
    found: dict[str, list[dict[str, Any]]] = {}
    for partition, player, predictions in missing:
        found.setdefault(partition, []).append(
            {"player_lookup": player, "predictions": predictions, "nearest": nearest.get((partition, player), [])}
        )
    return found


def _missing_markets(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in stage.query(statement("gradeonce.rules", "validate.sql", "missing_markets")).dicts():
        found.setdefault(row.pop("partition"), []).append(row)
    return found


def _foreign_ids(stage: Stage, partition: str, *, all_pending: bool) -> list[dict[str, Any]]:
    """Return the kinds of ids of a slate that no box score of it can meet, each with an example.

    Raises:
        InputError: If the whole slate waits, and all of its ids are of such kinds.
    """
    format_of = statement("gradeonce.rules", "validate.sql", "id_format", id="{id}")
    sql = statement(
        "gradeonce.rules",
        "validate.sql",
        "id_formats",
        predictions=PREDICTIONS.name,
        actuals=ACTUALS.name,
        game_id_format=fill(format_of, id="game_id"),
        game_key_format=fill(format_of, id="game_key"),
    )
    sides: dict[str, list[dict[str, Any]]] = {"predictions": [], "box scores": []}
    for row in stage.query(sql, {"date": date.fromisoformat(partition)}).dicts():
        sides[row["side"]].append(row)
    ours, theirs = sides["predictions"], sides["box scores"]
    if not theirs:
        return []
    known = {(kind, row[kind]) for row in theirs for kind in ("format", "key_format")}
    foreign = [row for row in ours if not {(kind, row[kind]) for kind in ("format", "key_format")} & known]
    if all_pending and foreign and len(foreign) == len(ours):
        raise InputError(
            f"No game id of the predictions of {partition} can meet a box score: predictions carry ids such as "
            f"{ours[0]['example']} ({described_id(ours[0]['format'])}), box scores of that date carry "
            f"{theirs[0]['example']} ({described_id(theirs[0]['format'])}).",
            state="Nothing was published for that date; what stood stands.",
            hint="Load box scores (or predictions) whose game_id is the NBA's ten digits or YYYYMMDD_AWAY_HOME; box "
            "scores with team_abbr and opponent_team_abbr join both.",
        )
    return [{"example": row["example"], "format": row["format"], "predictions": row["rows"]} for row in foreign[:3]]


def described_id(shape: str) -> str:
    """Return what an id looks like, in words, of its shape: digits as 9, letters as A."""
    if shape == "9" * 10:
        return "the NBA's ten digits"
    if shape == "9" * 8 + "_A_A":
        return "YYYYMMDD_AWAY_HOME"
    return f"{len(shape)} characters, {shape}"
