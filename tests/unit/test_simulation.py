"""The simulated season: the same for the same seed, in the columns of `load`, and true to the counts it states."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gradeonce.errors import RefusedForSafety, UsageError
from gradeonce.players import player_lookup
from gradeonce.schema import LOADED_TABLES, STATS
from gradeonce.simulation import Season, simulate_season
from gradeonce.statements import statements

SMALL = {"days": 12, "predictions": 20_000}


def digest(season: Season) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(season.folder.iterdir())}


class Files:
    """The files of one season as tables: predictions, box_scores, injuries, lines, stat_correction; all CSV text."""

    def __init__(self, season: Season) -> None:
        self._engine = duckdb.connect()
        parquet = season.folder / "predictions_*.parquet"
        self._engine.execute(f"CREATE TABLE predictions AS SELECT * FROM '{parquet}'")
        for name in ("box_scores", "injuries", "lines", "stat_correction"):
            file = season.folder / f"{name}.csv"
            self._engine.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{file}', all_varchar = true)")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._engine.execute(sql).fetchall()

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()


# What counts, found by the public rules alone: one row per business key.
COUNTING = """
    WITH counting AS (
        SELECT DISTINCT * FROM predictions
        WHERE is_active AND invalidation_reason IS NULL AND created_at < tipoff_at
    ),
    grades AS (
        SELECT * FROM counting QUALIFY row_number() OVER (
            PARTITION BY player_lookup, game_id, system_id, market, line_value
            ORDER BY created_at DESC, prediction_id DESC
        ) = 1
    ),
    moved AS (
        SELECT DISTINCT p.game_id FROM predictions p JOIN box_scores b USING (game_id)
        WHERE CAST(b.game_date AS DATE) <> p.game_date
    ),
    last_report AS (SELECT * FROM injuries
        QUALIFY row_number() OVER (PARTITION BY player_name, game_id ORDER BY reported_at DESC) = 1),
    paired AS (
        SELECT g.*, b.player_name IS NOT NULL AS listed, b.minutes_played, b.is_dnp, game_id IN (FROM moved) AS moved,
            coalesce(g.injury_status_at_prediction, r.status) AS status,
            CAST(CASE market WHEN 'points' THEN points WHEN 'rebounds' THEN rebounds ELSE assists END AS INTEGER)
                AS actual
        FROM grades g LEFT JOIN box_scores b USING (player_name, game_id)
        LEFT JOIN last_report r USING (player_name, game_id)
    ),
    judged AS (
        SELECT *, CASE
            WHEN moved THEN 'postponed'
            WHEN NOT listed AND status IN ('OUT', 'DOUBTFUL') THEN 'void'
            WHEN NOT listed THEN 'ungradable'
            WHEN is_dnp = 'true' OR (is_dnp IS NULL AND actual = 0 AND minutes_played = '0:00') THEN 'void'
            WHEN line_value IS NULL OR recommendation NOT IN ('OVER', 'UNDER') THEN 'no_bet'
            WHEN actual = line_value THEN 'push'
            WHEN (actual > line_value) = (recommendation = 'OVER') THEN 'win'
            ELSE 'loss'
        END AS became
        FROM paired
    )
"""


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """Twelve days, twenty thousand predictions."""
    return simulate_season(tmp_path_factory.mktemp("season"), **SMALL)


@pytest.fixture(scope="module")
def files(season: Season) -> Iterator[Files]:
    """The files of that season, to be queried."""
    files = Files(season)
    yield files
    files.close()


def test_same_seed_gives_same_bytes(season: Season, tmp_path: Path) -> None:
    """Two simulations with the same arguments write the same files, to the byte."""
    again = simulate_season(tmp_path, **SMALL)

    assert digest(again) == digest(season)
    assert again.truth == season.truth


@pytest.mark.parametrize("threads", [1, 4])
def test_threads_do_not_change_the_rows(season: Season, tmp_path: Path, threads: int) -> None:
    """An engine with one thread or four writes the same files, and keeps nothing of the simulation."""
    with duckdb.connect(config={"threads": str(threads)}) as engine:
        again = simulate_season(tmp_path, engine=engine, **SMALL)

        assert digest(again) == digest(season)
        assert engine.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_draws_are_pinned(files: Files) -> None:
    """The first players of seed 7 are these on every machine and engine: draws come from MD5, not from the engine."""
    rows = files.ask("SELECT player_name, points FROM box_scores ORDER BY game_id, team_abbr, player_name LIMIT 3")

    assert rows == [("Arlo Balquist", "10"), ("Arlo Rastaster", "9"), ("Boone Doraster", "19")]


def test_a_draw_is_the_md5_of_seed_word_and_key() -> None:
    """The macros agree with hashlib: bits are the last eight bytes, a uniform draw is 16 of them over 65,536."""
    bits = int.from_bytes(hashlib.md5(b"7|points|42").digest()[8:], "little")
    with duckdb.connect() as engine:
        engine.execute("SET VARIABLE season_seed = 7")
        for macro in statements("gradeonce.simulation", "draws.sql").values():
            engine.execute(macro)
        drawn = engine.execute(
            "SELECT b, uniform(b, 0), uniform(b, 3) FROM (SELECT bits('points', 42) AS b)"
        ).fetchone()

    assert drawn == (bits, (bits & 65535) / 65536, (bits >> 48) / 65536)


def test_another_seed_gives_another_season(season: Season, tmp_path: Path) -> None:
    """The seed matters: players, results and truth differ."""
    other = simulate_season(tmp_path, seed=8, **SMALL)

    assert other.truth != season.truth
    assert set(digest(other).values()).isdisjoint(digest(season).values())


@pytest.mark.parametrize("seed", range(1, 5))
def test_small_seasons_hold_every_trap(tmp_path: Path, seed: int) -> None:
    """Five days and 500 predictions are enough for each trap that is planted by number."""
    truth = simulate_season(tmp_path, seed=seed, days=5, predictions=500).truth

    assert truth.predictions == 500
    assert (truth.duplicate_rows, truth.after_tipoff, truth.inactive, truth.invalidated) == (2, 1, 2, 1)
    assert truth.postponed_games == 1
    assert truth.postponed_days >= 5
    assert truth.voids_postponed >= 1
    assert truth.players_missing >= 1
    assert truth.ungradable >= 1
    assert truth.corrections >= 1
    assert truth.corrected_grades >= 1


@pytest.mark.parametrize(
    ("days", "predictions", "systems", "start"),
    [(1, 100, 1, date(2024, 2, 29)), (1, 10_000, 5, date(2025, 3, 9)), (40, 3_000, 3, date(2023, 10, 24))],
)
def test_other_sizes_work(tmp_path: Path, days: int, predictions: int, systems: int, start: date) -> None:
    """A day with few or very many predictions, fewer systems, another year: always as many rows as asked for."""
    season = simulate_season(tmp_path, days=days, predictions=predictions, systems=systems, start=start)

    assert season.truth.predictions == predictions
    with duckdb.connect() as engine:
        rows = engine.execute(f"SELECT count(*), count(DISTINCT system_id) FROM '{tmp_path}/*.parquet'").fetchone()
    assert rows == (predictions, systems)


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": 367}, {"systems": 6}, {"predictions": 99}])
def test_a_number_out_of_range_is_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    """The message names the argument and its range; nothing is written."""
    with pytest.raises(UsageError, match=f"needs {next(iter(wrong))} from"):
        simulate_season(tmp_path / "new", **wrong)

    assert not (tmp_path / "new").exists()


def test_files_of_others_are_not_touched(tmp_path: Path) -> None:
    """A folder that holds something else is refused; what is there stays."""
    (tmp_path / "box_scores.csv").write_text("mine")

    with pytest.raises(RefusedForSafety, match=r"already holds 'box_scores\.csv'"):
        simulate_season(tmp_path, days=1, predictions=100)

    assert (tmp_path / "box_scores.csv").read_text() == "mine"


def test_an_earlier_season_is_replaced_whole(tmp_path: Path) -> None:
    """A shorter season leaves no month of a longer one behind."""
    simulate_season(tmp_path, days=40, predictions=500)
    season = simulate_season(tmp_path, days=5, predictions=500)

    assert {path.name for path in tmp_path.iterdir()} == {file.path.name for file in season.files} | {"README.txt"}


def test_files_hold_only_canonical_columns(season: Season) -> None:
    """Each file can be loaded without --ignore-extra: every column is one that `load` knows for its kind."""
    wide = set(STATS)
    with duckdb.connect() as engine:
        for file in season.files:
            described = engine.execute(f"DESCRIBE SELECT * FROM '{file.path}'").fetchall()
            known = {column.name for column in LOADED_TABLES[file.kind].columns} - {"load_id", "load_row", "loaded_at"}
            assert {row[0] for row in described} <= known | (wide if file.kind == "actuals" else set())


def test_files_are_listed_with_their_rows(season: Season) -> None:
    """The record lists each file with its kind and count; the correction comes last and is marked."""
    with duckdb.connect() as engine:
        for file in season.files:
            assert engine.execute(f"SELECT count(*) FROM '{file.path}'").fetchone() == (file.rows,)
    assert [file.kind for file in season.files] == [
        "predictions",
        "predictions",
        "actuals",
        "injuries",
        "lines",
        "actuals",
    ]
    assert [file.is_correction for file in season.files] == [False] * 5 + [True]


def test_readme_says_that_all_is_simulated(season: Season) -> None:
    """Whoever finds the folder is told at once."""
    text = (season.folder / "README.txt").read_text(encoding="utf-8")

    assert text.startswith("A SIMULATED SEASON")
    assert "invented" in text


def test_no_two_players_share_a_lookup(files: Files) -> None:
    """390 players, 390 names, 390 lookups; a name read by the rule gives the lookup of the predictions."""
    players = files.ask("SELECT DISTINCT player_name FROM box_scores")
    lookups = dict(files.ask("SELECT DISTINCT player_name, player_lookup FROM predictions"))

    assert len({player_lookup(name) for (name,) in players}) == len(players) == 390
    assert all(player_lookup(name) == lookup for name, lookup in lookups.items())


def test_truth_adds_up(season: Season) -> None:
    """Every prediction row and every grade is in exactly one kind."""
    t = season.truth

    rows = t.duplicate_rows + t.inactive + t.invalidated + t.after_tipoff + t.superseded + t.grades
    voids = t.voids_injury_confirmed + t.voids_late_scratch + t.voids_unknown + t.voids_postponed
    assert rows == t.predictions
    assert t.wins + t.losses + t.pushes + t.no_bets + voids + t.ungradable == t.grades


def test_prediction_rows_are_what_truth_says(season: Season, files: Files) -> None:
    """Copies, withdrawn rows, late rows and line moves, counted from the files."""
    counted = files.ask(
        """SELECT count(*) - count(DISTINCT prediction_id) AS duplicate_rows FROM predictions
        UNION ALL SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT * FROM predictions)) FROM predictions
        UNION ALL SELECT count(DISTINCT prediction_id) FROM predictions WHERE NOT is_active
        UNION ALL SELECT count(DISTINCT prediction_id) FROM predictions WHERE invalidation_reason IS NOT NULL
        UNION ALL SELECT count(DISTINCT prediction_id) FROM predictions WHERE created_at >= tipoff_at
        UNION ALL SELECT count(*) FILTER (line_value <> before) FROM (
            SELECT line_value, lag(line_value) OVER (
                PARTITION BY player_lookup, game_id, system_id, market ORDER BY created_at
            ) AS before FROM (SELECT DISTINCT * FROM predictions)
        )""",
    )
    t = season.truth

    expected = [t.duplicate_rows, t.duplicate_rows, t.inactive, t.invalidated, t.after_tipoff, t.line_moves]
    assert [row[0] for row in counted] == expected


def test_outcomes_are_what_truth_says(season: Season, files: Files) -> None:
    """Graded from the files by the public rules, each outcome is as often as the simulator planted it."""
    outcomes = dict(files.ask(f"{COUNTING} SELECT became, count(*) FROM judged GROUP BY 1"))
    voids = dict(files.ask(f"{COUNTING} SELECT status, count(*) FROM judged WHERE became = 'void' GROUP BY 1"))
    t = season.truth

    assert outcomes == {
        "win": t.wins,
        "loss": t.losses,
        "push": t.pushes,
        "no_bet": t.no_bets,
        "void": t.voids_injury_confirmed + t.voids_late_scratch + t.voids_unknown,
        "postponed": t.voids_postponed,
        "ungradable": t.ungradable,
    }
    assert voids["OUT"] + voids["DOUBTFUL"] == t.voids_injury_confirmed
    assert voids["QUESTIONABLE"] + voids["PROBABLE"] == t.voids_late_scratch
    assert voids[None] == t.voids_unknown


def test_picks_are_what_truth_says(season: Season, files: Files) -> None:
    """Grades, picks, and grades without a line."""
    counted = files.ask(
        f"""{COUNTING} SELECT count(*), count(DISTINCT (player_lookup, game_id, system_id, market)),
            count(*) FILTER (line_value IS NULL) FROM grades""",
    )

    assert counted == [(season.truth.grades, season.truth.picks, season.truth.grades_without_line)]


def test_absences_are_what_truth_says(season: Season, files: Files) -> None:
    """DNPs with and without a report, late scratches, unflagged absences and 0-minute players."""
    counted = files.ask(
        f"""{COUNTING} SELECT
            count(*) FILTER (is_dnp = 'true' AND r.status IN ('OUT', 'DOUBTFUL')) AS dnp_reported,
            count(*) FILTER (is_dnp = 'true' AND r.status IN ('QUESTIONABLE', 'PROBABLE')) AS late_scratches,
            count(*) FILTER (is_dnp = 'true' AND r.status IS NULL) AS dnp_unreported,
            count(*) FILTER (is_dnp IS NULL AND points = '0' AND minutes_played = '0:00') AS dnp_unflagged,
            count(*) FILTER (is_dnp = 'false' AND minutes_played = '0:00') AS played_zero_minutes,
            count(*) AS box_score_rows, (SELECT count(*) FROM injuries) AS injury_rows,
            count(DISTINCT b.game_id) AS games
        FROM box_scores b LEFT JOIN last_report r USING (player_name, game_id)""",
    )[0]
    t = season.truth

    assert counted == (
        t.dnp_reported,
        t.late_scratches,
        t.dnp_unreported,
        t.dnp_unflagged,
        t.played_zero_minutes,
        t.box_score_rows,
        t.injury_rows,
        t.games,
    )


def test_one_game_is_played_later_under_its_id(season: Season, files: Files) -> None:
    """The postponed game has one box score, days after the date it was predicted for."""
    moved = files.ask(f"{COUNTING} SELECT game_id FROM moved")
    days = files.ask(
        """SELECT DISTINCT CAST(b.game_date AS DATE) - p.game_date FROM predictions p JOIN box_scores b USING (game_id)
        WHERE CAST(b.game_date AS DATE) <> p.game_date""",
    )

    assert len(moved) == season.truth.postponed_games == 1
    assert days == [(season.truth.postponed_days,)]


def test_no_team_plays_twice_on_a_date(files: Files) -> None:
    """Also not where the postponed game is made up."""
    assert (
        files.ask("SELECT team_abbr FROM box_scores GROUP BY team_abbr, game_date HAVING count(DISTINCT game_id) > 1")
        == []
    )


def test_correction_changes_points_only_and_is_later(season: Season, files: Files) -> None:
    """Each corrected row is in the box score with other points, all else equal, and recorded later."""
    corrected = files.ask(
        """SELECT c.points <> b.points, c.recorded_at > b.recorded_at,
            (c.rebounds, c.assists, c.threes, c.minutes_played, c.game_date, c.team_abbr)
                = (b.rebounds, b.assists, b.threes, b.minutes_played, b.game_date, b.team_abbr)
        FROM stat_correction c JOIN box_scores b USING (player_name, game_id)""",
    )
    grades = files.ask(
        f"""{COUNTING} SELECT count(*) FROM grades JOIN stat_correction USING (player_name, game_id)
        WHERE market = 'points'""",
    )

    assert corrected == [(True, True, True)] * season.truth.corrections
    assert grades == [(season.truth.corrected_grades,)]


def test_predictions_carry_the_line_of_their_instant(files: Files) -> None:
    """A points prediction has the line and the prices that its bookmaker showed last before it was made."""
    differing = files.ask(
        """SELECT count(*), count(*) FILTER (
            (p.line_value, p.over_price, p.under_price) IS DISTINCT FROM (l.line, l.over, l.under)
        ) FROM (SELECT * FROM predictions WHERE market = 'points' AND has_prop_line AND created_at < tipoff_at) p
        ASOF LEFT JOIN (
            SELECT *, CAST(line_value AS DECIMAL(9, 1)) AS line, CAST(over_price AS INTEGER) AS over,
                CAST(under_price AS INTEGER) AS under FROM lines
        ) l ON p.player_name = l.player_name AND p.game_id = l.game_id AND p.bookmaker = l.bookmaker
            AND p.created_at >= l.observed_at""",
    )[0]

    assert differing[0] > 10_000
    assert differing[1] == 0


def test_instants_carry_their_offset(files: Files) -> None:
    """Every instant is ISO 8601 in UTC with its Z, so nobody has to guess a zone."""
    shape = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
    for relation, column in (
        ("predictions", "created_at"),
        ("predictions", "tipoff_at"),
        ("box_scores", "recorded_at"),
        ("injuries", "reported_at"),
        ("lines", "observed_at"),
    ):
        odd = files.ask(f"SELECT count(*) FROM {relation} WHERE NOT regexp_full_match({column}, '{shape}')")
        assert odd == [(0,)]


def test_csv_leaves_unknown_fields_empty(season: Season) -> None:
    """A player who did not play has no minutes and no points: empty fields, not zeros."""
    with (season.folder / "box_scores.csv").open(encoding="utf-8", newline="") as file:
        absent = [row for row in csv.DictReader(file) if row["is_dnp"] == "true"]

    assert len(absent) > 10
    assert {(row["minutes_played"], row["points"], row["rebounds"]) for row in absent} == {("", "", "")}


def test_results_are_believable(files: Files) -> None:
    """Points, rebounds and assists of players who played: means, spread and correlation in a sane range."""
    mean, spread, most, rebounds, assists, threes = files.ask(
        """SELECT avg(points::INT), stddev(points::INT), max(points::INT), corr(points::INT, rebounds::INT),
            corr(points::INT, assists::INT), max(threes::INT * 3 - points::INT)
        FROM box_scores WHERE minutes_played <> '0:00'""",
    )[0]

    assert 8 < mean < 12
    assert 6 < spread < 10
    assert 35 < most < 75
    assert 0.2 < rebounds < 0.8
    assert 0.2 < assists < 0.8
    assert threes <= 0


def test_systems_differ_as_described(files: Files) -> None:
    """atlas errs least, hotshot leans two points high, certainty is too sure, percentile counts to 100, selective is
    choosy."""
    rows = files.ask(
        f"""{COUNTING} SELECT system_id, count(*), avg(abs(predicted_value - actual)), avg(predicted_value - actual),
            avg(confidence_score), avg((became = 'win')::INT) FILTER (became IN ('win', 'loss'))
        FROM judged WHERE market = 'points' AND became IN ('win', 'loss', 'push', 'no_bet') GROUP BY 1""",
    )
    count, mae, bias, confidence, wins = ({row[0]: row[i] for row in rows} for i in range(1, 6))

    assert min(mae, key=mae.__getitem__) in {"atlas", "selective"}
    assert 1.5 < bias["hotshot"] < 2.7
    assert all(abs(bias[system]) < 0.8 for system in ("atlas", "certainty", "percentile", "selective"))
    assert confidence["certainty"] - wins["certainty"] > 0.2
    assert 50 < confidence["percentile"] < 70
    assert count["selective"] < 0.5 * count["atlas"]
    assert 0.52 < wins["atlas"] < 0.65


def test_truth_holds_counts_only(season: Season) -> None:
    """Every field of the truth is a whole number, and each kind of trap is there."""
    assert all(isinstance(value, int) and value > 0 for value in asdict(season.truth).values())
