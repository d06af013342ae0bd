"""Predictions full of all that two warehouses could see differently, made by SQL and the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb

PLAYERS = (
    "Luka Dončić", "Nikola Jokić", "Dennis Schröder", "Jusuf Nurkić", "Nikola Vučević", "Bogdan Bogdanović",
    "Théo Maledon",
    "D'Angelo Russell", "Karl-Anthony Towns", "Shai Gilgeous-Alexander", "Kelly Oubre Jr.", "Tim Hardaway Jr.",
    "Gary Payton II", "O.G. Anunoby", "Øyvind Ås", "Ömer Aşık", "Żydrūnas Ilgauskas",
    "Peja Stojaković", "Ty Jerome", "Ян Иванов",
)  # fmt: skip
"""Accents, apostrophes, hyphens, suffixes, and a name in another script, whose rows are set aside."""

DAYS, GAMES = 40, 4

# A number that looks random and is the same on every machine: 0 to 999.
_DRAW = "CAST(('0x' || substr(md5(concat_ws('/', {parts})), 1, 8)) AS BIGINT) % 1000"


def _draw(*parts: str) -> str:
    return f"({_DRAW.format(parts=', '.join(parts))})"


_SLATE = f"""
CREATE TABLE slate AS
SELECT d, g, p AS place, list_extract($players, 1 + (5 * g + p + d) % {len(PLAYERS)}) AS player_name,
    CAST(DATE '2026-01-01' + CAST(d AS INTEGER) AS DATE) AS game_date,
    CASE WHEN d % 3 = 0 THEN '00226' || lpad(CAST(d * 10 + g AS VARCHAR), 5, '0')
        ELSE strftime(DATE '2026-01-01' + CAST(d AS INTEGER), '%Y%m%d') || '_' || t.away || '_' || t.home
        END AS game_id,
    t.away, t.home, {_draw("'points'", "d", "g", "p")} AS luck
FROM range({DAYS}) AS a (d), range({GAMES}) AS b (g), range(5) AS c (p),
    LATERAL (SELECT list_extract(['LAL', 'BOS', 'NYK', 'MIA'], 1 + g) AS away,
        list_extract(['PHX', 'DEN', 'CHI', 'SAS'], 1 + g) AS home) AS t
"""

# Ties at x.xx5, lines that equal the value, lines of 0 and none, both scales of confidence; rivals of one key: later,
# or made at the very same instant, and one without an instant.
_PREDICTIONS = f"""
SELECT 'system' || s AS system_id, player_name, game_id, game_date, m.market,
    CAST(10 + ({_draw("'guess'", "d", "g", "place", "s", "m.market", "rival")}) / 40.0 AS DECIMAL(9, 3)) + 0.005
        AS predicted_value,
    CASE {_draw("'line'", "d", "g", "place", "s", "m.market")} % 8 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN luck % 30
        ELSE 10.5 + luck % 12 END AS line_value,
    CASE {_draw("'side'", "d", "g", "place", "s", "rival")} % 6 WHEN 0 THEN 'PASS' WHEN 1 THEN 'HOLD'
        WHEN 2 THEN 'UNDER' WHEN 3 THEN NULL ELSE 'OVER' END AS recommendation,
    CASE {_draw("'sure'", "d", "g", "place", "s", "rival")} % 5 WHEN 0 THEN NULL WHEN 1 THEN 1 WHEN 2 THEN 100
        WHEN 3 THEN 72.125 ELSE {_draw("'how'", "d", "g", "place", "s")} / 1000.0 END AS confidence_score,
    CASE rival WHEN 2 THEN NULL ELSE strftime(game_date, '%Y-%m-%d') || 'T' || CASE rival WHEN 0 THEN '15' ELSE '16' END
        || ':00:00Z' END AS created_at,
    {_draw("'active'", "d", "g", "place", "s", "rival")} % 20 > 0 AS is_active,
    CASE s WHEN 0 THEN 'ACTUAL_PROP' ELSE 'ESTIMATED_AVG' END AS line_source,
    CASE WHEN s = 0 THEN 'BetÜ' END AS bookmaker,
    CASE luck % 4 WHEN 0 THEN 'OUT' WHEN 1 THEN 'questionable' END AS injury_status_at_prediction,
    CASE WHEN luck % 3 > 0 THEN luck % 3 = 1 END AS injury_flag_at_prediction,
    CASE WHEN luck % 5 = 0 THEN 'überprüft, "später"' || chr(9) || 'x' END AS filter_reason
FROM slate, range(3) AS y (s), (VALUES ('points'), ('rebounds')) AS m (market), range(3) AS r (rival)
WHERE rival = 0 OR {_draw("'rival'", "d", "g", "place", "s", "m.market", "rival")} % 4 = 0
"""

# Did not play by flag, by nothing said, or played for no points; not in the box score at all; a value missing; the last
# date half in; games that moved by one day and by five.
_BOXES = f"""
SELECT player_name, game_id,
    game_date + CASE WHEN d % 10 = 4 AND g = 1 THEN 1 WHEN d % 10 = 6 AND g = 2 THEN 5 ELSE 0 END AS game_date,
    CASE luck % 11 WHEN 0 THEN 0 WHEN 1 THEN NULL ELSE CASE WHEN luck % 8 = 2 THEN luck % 30 ELSE luck % 34 END END
        + {{shift}} AS points,
    luck % 9 AS rebounds,
    CASE luck % 11 WHEN 0 THEN '0' WHEN 1 THEN NULL WHEN 2 THEN '0:20' ELSE '31:05' END AS minutes_played,
    CASE luck % 13 WHEN 0 THEN true WHEN 1 THEN false END AS is_dnp,
    CASE place % 2 WHEN 0 THEN away ELSE home END AS team_abbr,
    CASE place % 2 WHEN 0 THEN home ELSE away END AS opponent_team_abbr,
    d < {DAYS - 1} OR g < 2 AS is_final,
    strftime(game_date + 1, '%Y-%m-%d') || 'T{{hour}}:00:00Z' AS recorded_at
FROM slate
WHERE luck % 17 > 0 AND {{only}}
"""

_INJURIES = """
SELECT player_name, CASE WHEN luck % 2 = 0 THEN game_id END AS game_id, game_date,
    CASE luck % 3 WHEN 0 THEN 'Out' WHEN 1 THEN 'Doubtful' ELSE 'Probable' END AS status,
    strftime(game_date, '%Y-%m-%d') || 'T1' || CAST(luck % 10 AS VARCHAR) || ':30:00Z' AS reported_at
FROM slate WHERE luck % 4 = 1
"""

_SEEN_AGAIN = """
SELECT * REPLACE (predicted_value + 1.115 AS predicted_value, NOT is_active AS is_active) FROM predictions
WHERE system_id = 'system1' AND created_at IS NOT NULL AND day(game_date) % 7 = 3
"""


def write_oddities(folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Write the files; yield kind, path, and whether it is a correction that comes after the first grading."""
    with duckdb.connect(":memory:") as engine:
        engine.execute(_SLATE, {"players": list(PLAYERS)})
        engine.execute(f"CREATE TABLE predictions AS {_PREDICTIONS}")
        boxes = _BOXES.format(shift=0, hour="05", only="true")
        corrected = _BOXES.format(shift=2, hour="11", only="luck % 6 = 1")
        for name, kind, select, is_correction in (
            ("predictions", "predictions", "FROM predictions", False),
            ("boxes", "actuals", boxes, False),
            ("injuries", "injuries", _INJURIES, False),
            ("corrected", "actuals", corrected, True),
            ("seen_again", "predictions", _SEEN_AGAIN, True),
        ):
            path = folder / f"{name}.csv"
            engine.execute(f"COPY ({select}) TO '{path}' (HEADER)")
            yield kind, path, is_correction
