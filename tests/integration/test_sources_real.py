"""Every preset against the real file that it was made for; the counts are those that the data's own README measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gradeonce.loading import ReadRows, raise_if_bad, read_rows
from gradeonce.players import lookup_sql, nearest_sql

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
TODAY = date(2026, 2, 1)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not there: {DATA}")


class Reader:
    """Reads real files, each once."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self.engine = engine
        self.known: dict[str, ReadRows] = {}

    def read(self, kind: str, file: str, source: str, **references: str) -> ReadRows:
        if file not in self.known:
            others = {slot: DATA / name for slot, name in references.items()}
            read = read_rows(self.engine, kind, [DATA / file], source=source, references=others, today=TODAY)
            raise_if_bad(read, "fail")
            self.known[file] = read
        return self.known[file]

    def official(self) -> str:
        read = self.read("actuals", "boxscores_official.csv.gz", "nba_api.league_game_log")
        return f"(SELECT * FROM {read.relation} WHERE market = 'points')"

    def one(self, sql: str) -> Any:
        row = self.engine.execute(sql).fetchone()
        assert row is not None
        return row if len(row) > 1 else row[0]


@pytest.fixture(scope="module")
def real() -> Iterator[Reader]:
    engine = duckdb.connect(":memory:")
    yield Reader(engine)
    engine.close()


def test_official_game_logs(real: Reader) -> None:
    """91,704 rows make 12 markets each; 307 rows of 0 minutes are play, 6 of them with points."""
    read = real.read("actuals", "boxscores_official.csv.gz", "nba_api.league_game_log")

    assert (read.rows_read, read.rows_kept, read.rows, read.repeated) == (91_704, 91_704, 91_704 * 12, 0)
    assert (read.partitions[0], read.partitions[-1]) == ("2021-10-19", "2026-01-31")
    official = real.official()
    assert real.one(f"SELECT count(DISTINCT game_id), min(length(game_id)) FROM {official}") == (4_304, 10)
    zero = f"SELECT count(*), count(*) FILTER (WHERE actual_value > 0) FROM {official} WHERE minutes_played = 0"
    assert real.one(f"{zero} AND NOT is_dnp") == (307, 6)
    assert real.one(f"SELECT count(*) FROM {official} WHERE length(opponent_team_abbr) <> 3") == 0
    assert real.one(f"SELECT count(*) FROM {official} WHERE opponent_team_abbr IS NULL OR team_abbr IS NULL") == 0


def test_rule_gives_no_two_official_players_one_key(real: Reader) -> None:
    """Measured for the rule: every key is one name, and nobody plays twice a day."""
    official = real.official()

    assert (
        real.one(f"SELECT max(n) FROM (SELECT count(DISTINCT player_name) AS n FROM {official} GROUP BY player_lookup)")
        == 1
    )
    assert real.one(f"SELECT count(*) - count(DISTINCT (player_lookup, game_date)) FROM {official}") == 0


def test_box_scores_with_dnp_rows_collapse_their_double(real: Reader) -> None:
    """25,584 rows are 12,792 twice; the 4 of a player whom nobody can name are set aside, twice each."""
    read = real.read(
        "actuals",
        "boxscores_with_dnp.csv.gz",
        "nba_api.box_score_traditional_v3",
        players="players_nba_ids.csv.gz",
        games="boxscores_official.csv.gz",
    )
    points = f"(SELECT * FROM {read.relation} WHERE market = 'points')"

    assert read.refused == {"player id 1642942 is not among the players": 8}
    assert (read.rows_read, read.rows_kept, read.repeated) == (25_584, 12_788, 12_788)
    played, absent = real.one(
        f"SELECT count(*) FILTER (WHERE NOT is_dnp), count(*) FILTER (WHERE is_dnp) FROM {points}"
    )
    # Of 10,642 who played and 2,150 who did not, 4 rows are the unnamed player's.
    assert (10_642 - played) + (2_150 - absent) == 4
    assert (
        real.one(f"SELECT count(*) FROM {points} WHERE is_dnp AND (minutes_played IS NOT NULL OR actual_value <> 0)")
        == 0
    )
    differing = f"""SELECT count(*)
        FROM {points} AS other JOIN {real.official()} AS official USING (player_lookup, game_id)
        WHERE other.actual_value <> official.actual_value"""
    assert real.one(differing) == 0


def test_bref_rows_meet_the_official_ones_once_names_are_repaired(real: Reader) -> None:
    """24,343 join by README's rule; 41 of Egor Dëmin (a Cyrillic letter) and 45 of Ron Holland (an alias) besides."""
    read = real.read("actuals", "boxscores_bref.csv.gz", "bref.box_scores")
    joined = f"""FROM (SELECT * FROM {read.relation} WHERE market = 'points') AS bref
        JOIN {real.official()} AS official USING (player_lookup, game_date)"""

    assert (read.rows_read, read.rows_kept) == (24_454, 24_454)
    assert real.one(f"SELECT count(*) {joined}") == 24_343 + 41 + 45
    assert real.one(f"SELECT count(*) {joined} WHERE bref.actual_value <> official.actual_value") == 0
    assert real.one(f"SELECT count(*) {joined} WHERE bref.team_abbr <> official.team_abbr") == 0
    assert real.one(f"SELECT count(*) {joined} WHERE bref.opponent_team_abbr <> official.opponent_team_abbr") == 0
    assert real.one(f"SELECT count(DISTINCT game_id) FROM {read.relation}") == 404 + 730


def test_bref_player_tables_all_meet_the_official_rows(real: Reader) -> None:
    """13,810 rows, accents right, same points; the last day has 60 of them."""
    read = real.read("actuals", "boxscores_bref_accents.csv.gz", "bref.box_scores")
    points = f"(SELECT * FROM {read.relation} WHERE market = 'points')"

    joined = f"FROM {points} AS bref JOIN {real.official()} AS official USING (player_lookup, game_date)"
    assert real.one(f"SELECT count(*) {joined} WHERE bref.actual_value = official.actual_value") == 13_810
    assert real.one(f"SELECT count(*) FROM {points} WHERE game_date = '2026-01-19'") == 60


def test_api_sports_corrections_stay_in_order(real: Reader) -> None:
    """8,656 player-games, 13 of them with points that changed; the last reading is the official one in all 8,533."""
    read = real.read("actuals", "boxscores_apisports_2024_spring.csv.gz", "api_sports.player_statistics")
    points = f"(SELECT * FROM {read.relation} WHERE market = 'points')"

    assert read.rows_read == read.rows_kept + read.repeated == 18_676
    assert read.repeated >= 9_989
    changed = f"SELECT count(*) FROM (SELECT 1 FROM {points} GROUP BY player_lookup, game_id HAVING {{}} > 1)"
    assert real.one(f"SELECT count(DISTINCT (player_lookup, game_id)) FROM {points}") == 8_656
    assert real.one(changed.format("count(DISTINCT actual_value)")) == 13
    assert real.one(changed.format("count(DISTINCT minutes_played)")) == 28
    rank = "row_number() OVER (PARTITION BY player_lookup, game_id ORDER BY load_row DESC)"
    last = f"SELECT * FROM {points} QUALIFY {rank} = 1"
    joined = f"FROM ({last}) AS api JOIN {real.official()} AS official USING (player_lookup, game_date)"
    assert real.one(f"SELECT count(*), count(*) FILTER (WHERE api.actual_value = official.actual_value) {joined}") == (
        8_533,
        8_533,
    )
    unknown = f"SELECT count(*) FROM ({last}) WHERE is_dnp IS NULL"
    assert real.one(unknown) == real.one(f"SELECT count(*) FROM ({last}) WHERE minutes_played = 0")


LINES = [
    ("lines_sportsbooks_points_2025_26.csv.gz", 65_548, 46, 8),
    ("lines_sportsbooks_points_2024_spring.csv.gz", 71_487, 29, 10),
    ("lines_sportsbooks_pra.csv.gz", 17_171, 69, 9),
]


@pytest.mark.parametrize(("file", "rows", "days", "books"), LINES)
def test_sportsbook_lines(real: Reader, file: str, rows: int, days: int, books: int) -> None:
    """Every row arrives (two sides as one), on every game day, of every book, all on a half point."""
    read = real.read("lines", file, "odds_api.player_props")

    assert (read.rows_read, read.bad, dict(read.refused), read.repeated) == (rows, 0, {}, 0)
    assert len(read.partitions) == days
    assert real.one(f"SELECT count(DISTINCT bookmaker) FROM {read.relation}") == books
    assert real.one(f"SELECT count(*) FROM {read.relation} WHERE line_value % 1 <> 0.5") == 0


def test_two_sides_of_spring_2024_become_pairs(real: Reader) -> None:
    """71,487 sides are 35,744 lines, one of them with a side alone."""
    read = real.read("lines", "lines_sportsbooks_points_2024_spring.csv.gz", "odds_api.player_props")

    sides = f"SELECT count(*), count(over_price) + count(under_price) FROM {read.relation}"
    assert real.one(sides) == (35_744, 71_487)


def test_alternates_of_two_books_stay_beside_each_other(real: Reader) -> None:
    """30,208 rows beyond the first of a player, event and book; 2 prices are empty."""
    read = real.read("lines", "lines_sportsbooks_points_2025_26.csv.gz", "odds_api.player_props")

    first = f"SELECT count(*) - count(DISTINCT (player_name, game_id, bookmaker)) FROM {read.relation}"
    assert real.one(first) == 30_208
    assert real.one(f"SELECT count(*) * 2 - count(over_price) - count(under_price) FROM {read.relation}") == 2


def test_pickem_lines_have_no_prices_and_whole_numbers(real: Reader) -> None:
    """The filler prices are gone, whole-number lines stay, a moved line is two rows."""
    read = real.read("lines", "lines_pickem_2024_25.csv.gz", "odds_api.player_props")

    assert (read.rows_read, read.bad, read.repeated) == (42_932, 0, 0)
    assert real.one(f"SELECT count(over_price) + count(under_price) FROM {read.relation}") == 0
    assert real.one(f"SELECT count(*) > 0 FROM {read.relation} WHERE line_value % 1 = 0")
    assert real.one(f"SELECT count(DISTINCT market), count(DISTINCT bookmaker) FROM {read.relation}") == (3, 2)


@pytest.mark.parametrize(
    ("file", "source", "where", "player_days", "joined"),
    [
        ("lines_sportsbooks_points_2025_26.csv.gz", "odds_api.player_props", "true", 5_105, 4_846),
        ("lines_pickem_2024_25.csv.gz", "odds_api.player_props", "market = 'points'", 6_372, 6_145),
        ("lines_prizepicks_2025_26.csv.gz", "prizepicks.board", "market = 'points'", 5_194, 4_803),
    ],
)
def test_lines_meet_the_players_who_played(
    real: Reader, file: str, source: str, where: str, player_days: int, joined: int
) -> None:
    """With the aliases, as many player-days join on league dates as were measured; spellings of one player are one."""
    read = real.read("lines", file, source)
    days = f"(SELECT DISTINCT player_lookup, game_date FROM {read.relation} WHERE {where})"

    assert real.one(f"SELECT count(*) FROM {days} JOIN {real.official()} USING (player_lookup, game_date)") == joined
    assert real.one(f"SELECT count(*) FROM {days}") <= player_days


def test_prizepicks_board_sets_combos_and_rows_without_a_game_aside(real: Reader) -> None:
    """35,943 rows: 12,344 have no start time; combos go first, whatever else they lack."""
    read = real.read("lines", "lines_prizepicks_2025_26.csv.gz", "prizepicks.board")

    rows = "read_csv($file, all_varchar = true, header = true)"
    combos, others = real.engine.execute(
        f"""SELECT count(*) FILTER (WHERE contains(player, ' + ')),
            count(*) FILTER (WHERE NOT contains(player, ' + ') AND startTimeIso IS NULL) FROM {rows}""",
        {"file": str(DATA / "lines_prizepicks_2025_26.csv.gz")},
    ).fetchall()[0]
    assert read.refused == {
        "no start time: the game it stands for is unknown": others,
        "a combo: one line on several players": combos,
    }
    assert (read.rows_read, read.bad) == (35_943, 0)
    assert read.rows_kept + read.repeated + combos + others == 35_943
    kept = real.one(f"SELECT count(*), count(DISTINCT file_row) FROM {read.bad_relation}")
    assert kept == (combos + others, combos + others)
    assert real.one(f"SELECT count(*) > 0 FROM {read.relation} WHERE market = 'points' AND line_value % 1 = 0")


def test_lines_stand_for_a_game_that_was_postponed(real: Reader) -> None:
    """Heat-Bulls of 2026-01-08: 15 rows on the board under that date, though nobody played."""
    read = real.read("lines", "lines_prizepicks_2025_26.csv.gz", "prizepicks.board")

    where = "game_id = '20260108_CHI_MIA' AND market = 'points'"
    assert real.one(f"SELECT count(*) FROM {read.relation} WHERE {where}") == 15
    official = f"SELECT count(*) FROM {real.official()} WHERE game_date = '2026-01-08' AND team_abbr IN ('MIA', 'CHI')"
    assert real.one(official) == 0


def test_injury_snapshots_meet_the_official_names(real: Reader) -> None:
    """1,953 rows of 27 snapshots; with glued suffixes cut off more than the 158 of 182 names meet."""
    read = real.read("injuries", "injury_reports_2026.csv.gz", "nba.injury_report")

    assert (read.rows_read, read.rows_kept) == (1_953, 1_953)
    counts = real.one(
        f"SELECT count(DISTINCT reported_at), count(*) FILTER (WHERE status = 'OUT') FROM {read.relation}"
    )
    assert counts == (27, 1_335)
    met = f"SELECT DISTINCT player_lookup FROM {read.relation} SEMI JOIN {real.official()} USING (player_lookup)"
    assert real.one(f"SELECT count(*) FROM ({met})") > 158


def test_native_json_of_the_odds_api(real: Reader) -> None:
    """One event, two books, decimal odds: 1.80 is -125, 1.94 is -106."""
    file = "native_samples/oddsapi_player_points_2025-03-09_MEM_NOP.json"
    read = real.read("lines", file, "odds_api.player_props")

    assert (read.rows_read, read.rows, read.partitions) == (1, 28, ("2025-03-09",))
    where = "player_lookup = 'jaylenwells' AND bookmaker = 'fanduel'"
    assert real.one(f"SELECT line_value, over_price, under_price FROM {read.relation} WHERE {where}")[1:] == (
        -125,
        -106,
    )


def test_unmatched_names_find_their_nearest(real: Reader) -> None:
    """The ten aliases, had they not been known: the rule's own lookups find candidates among the official ones."""
    unmatched = (
        f"(SELECT {lookup_sql('n')} AS player_lookup FROM (SELECT unnest(['Moe Wagner', 'Nicolas Claxton']) AS n))"
    )

    rows = dict(real.engine.execute(nearest_sql(unmatched, real.official())).fetchall())

    assert "moritzwagner" in rows["moewagner"]
    assert "nicclaxton" in rows["nicolasclaxton"]
