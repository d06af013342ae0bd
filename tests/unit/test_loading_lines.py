"""Which line a prediction without one gets, and the recommendation that follows."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from gradeonce.errors import UsageError
from gradeonce.loading.lines import attach_lines, derive_recommendation

DAY = "2026-01-17"


class Slate:
    """Predictions and lines, written as `column=value` over what most of them share."""

    def __init__(self, engine: duckdb.DuckDBPyConnection) -> None:
        self.engine = engine
        engine.execute(
            """CREATE TEMP TABLE made (load_row INTEGER, player_lookup VARCHAR, market VARCHAR, game_id VARCHAR,
                game_date DATE, created_at TIMESTAMP, tipoff_at TIMESTAMP, predicted_value DECIMAL(18, 9),
                line_value DECIMAL(18, 9), bookmaker VARCHAR, over_price INTEGER, under_price INTEGER,
                recommendation VARCHAR)"""
        )
        engine.execute("CREATE TEMP VIEW predictions AS SELECT * FROM made")
        engine.execute(
            """CREATE TEMP TABLE lines (load_row INTEGER, player_lookup VARCHAR, market VARCHAR, game_id VARCHAR,
                game_date DATE, bookmaker VARCHAR, line_value DECIMAL(18, 9), over_price INTEGER, under_price INTEGER,
                observed_at TIMESTAMP, tipoff_at TIMESTAMP, loaded_at TIMESTAMP)"""
        )

    def prediction(self, **values: Any) -> None:
        shared = {"player_lookup": "a", "market": "points", "game_id": "g", "game_date": DAY, "predicted_value": 20}
        self._insert("made", shared | values)

    def line(self, book: str, line: float, over: int | None = None, under: int | None = None, **values: Any) -> None:
        shared = {
            "player_lookup": "a",
            "market": "points",
            "game_id": "g",
            "game_date": DAY,
            "loaded_at": f"{DAY} 08:00",
        }
        offer = {"bookmaker": book, "line_value": line, "over_price": over, "under_price": under}
        self._insert("lines", shared | offer | values)

    def answer(self, book: str) -> list[tuple[Any, ...]]:
        attach_lines(self.engine, "predictions", "lines", book=book)
        sql = "SELECT line_value, bookmaker, over_price, under_price FROM predictions ORDER BY load_row"
        return [(None if line is None else float(line), *rest) for line, *rest in self.engine.execute(sql).fetchall()]

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        ((count,),) = self.engine.execute(f"SELECT count(*) FROM {table}").fetchall()
        values = {"load_row": count + 1, **values}
        names, slots = ", ".join(values), ", ".join(f"${name}" for name in values)
        self.engine.execute(f"INSERT INTO {table} ({names}) VALUES ({slots})", values)


@pytest.fixture
def slate() -> Iterator[Slate]:
    engine = duckdb.connect(":memory:")
    yield Slate(engine)
    engine.close()


def test_last_line_before_the_prediction_counts(slate: Slate) -> None:
    """Seen at 9 and 10, made at 10:30, seen again at 11: the line of 10 it is."""
    for hour, line in ((10, 21.5), (9, 20.5), (11, 22.5)):
        slate.line("draftkings", line, -110, -110, observed_at=f"{DAY} {hour}:00")
    slate.prediction(created_at=f"{DAY} 10:30")
    slate.prediction(created_at=f"{DAY} 10:00")
    slate.prediction(created_at=f"{DAY} 08:00")

    assert [row[0] for row in slate.answer("draftkings")] == [21.5, 21.5, None]


def test_last_line_before_tip_off_counts_where_the_instant_is_unknown(slate: Slate) -> None:
    """The prediction's own tip-off, else the line's; lines of a game under way never count."""
    slate.line("x", 20.5, observed_at=f"{DAY} 23:00", tipoff_at=f"{DAY} 23:30")
    slate.line("x", 30.5, observed_at=f"{DAY} 23:45", tipoff_at=f"{DAY} 23:30")
    slate.prediction()
    slate.prediction(tipoff_at=f"{DAY} 23:50")
    slate.prediction(tipoff_at=f"{DAY} 23:30", created_at=f"{DAY} 23:48")

    assert [row[0] for row in slate.answer("x")] == [20.5, 30.5, 20.5]


def test_last_line_of_all_counts_where_no_instant_is_known(slate: Slate) -> None:
    """Without instants the later load is the later reading, and within a load the later row."""
    slate.line("x", 22.5, loaded_at=f"{DAY} 12:00")
    slate.line("x", 20.5, loaded_at=f"{DAY} 08:00")
    slate.line("x", 21.5, loaded_at=f"{DAY} 12:00")
    slate.prediction(created_at=f"{DAY} 06:00")

    assert slate.answer("x") == [(21.5, "x", None, None)]


def test_main_line_among_alternates_has_prices_closest_to_even(slate: Slate) -> None:
    """Of 13.5 (-150/+110), 14.5 (-110/-120) and 15.5 (+108/-148) the book means 14.5."""
    for line, over, under in ((13.5, -150, 110), (15.5, 108, -148), (14.5, -110, -120)):
        slate.line("Bovada", line, over, under, observed_at=f"{DAY} 09:00")
    slate.prediction()

    assert slate.answer("bovada") == [(14.5, "Bovada", -110, -120)]


def test_middle_line_is_taken_among_equally_even_ones(slate: Slate) -> None:
    """Three lines at -110 both ways: the one in the middle."""
    for line in (22.5, 20.5, 21.5):
        slate.line("x", line, -110, -110)
    slate.prediction()

    assert slate.answer("x")[0][0] == 21.5


def test_consensus_is_the_median_of_the_books_on_an_offered_line(slate: Slate) -> None:
    """Main lines 20.5, 20.5 and 22.5: 20.5, at the median price of the two books that offer it."""
    slate.line("a", 20.5, -110, -110)
    slate.line("b", 20.5, -130, 105)
    slate.line("b", 19.5, -300, 240)
    slate.line("c", 22.5, -110, -110)
    slate.prediction()

    # Over pays 0.909 at -110 and 0.769 at -130; under 0.909 at -110 and 1.05 at +105. Of two the lower counts.
    assert slate.answer("consensus") == [(20.5, "consensus", -130, -110)]


def test_consensus_between_two_lines_is_the_lower(slate: Slate) -> None:
    """20.5 and 21.5 have the median 21.0, which nobody offers; of two as near the lower is taken."""
    slate.line("a", 21.5, -110, -110)
    slate.line("b", 20.5, None, None)
    slate.prediction()

    assert slate.answer("Consensus") == [(20.5, "consensus", None, None)]


def test_book_is_known_in_any_case_and_punctuation(slate: Slate) -> None:
    """`BetOnline.ag` is betonlineag."""
    slate.line("betonlineag", 20.5, -110, -110)
    slate.prediction()

    assert slate.answer("BetOnline.ag")[0][:2] == (20.5, "betonlineag")


def test_unknown_book_is_refused_with_those_that_are_there(slate: Slate) -> None:
    """A slip in the name must not read as `no lines`."""
    slate.line("fanduel", 20.5)
    slate.line("draftkings", 20.5)

    with pytest.raises(UsageError, match="No line of 'fandual' is loaded") as caught:
        slate.answer("fandual")

    assert caught.value.hint == "Loaded: draftkings, fanduel, or consensus for all of them."


def test_given_lines_stay_and_others_are_not_touched(slate: Slate) -> None:
    """A prediction with a line keeps it with its prices; other players, markets and dates get nothing."""
    slate.line("x", 20.5, -110, -110)
    slate.prediction(line_value=0, bookmaker="y", over_price=-105)
    slate.prediction(player_lookup="b")
    slate.prediction(market="rebounds")
    slate.prediction(game_date="2026-01-18", game_id="h")

    assert slate.answer("x") == [(0.0, "y", -105, None), *[(None, None, None, None)] * 3]


def test_line_meets_by_date_when_ids_differ_and_by_id_when_the_game_moved(slate: Slate) -> None:
    """Ids of two formats meet on the date; a moved game on its id, unless the date itself has a line."""
    slate.line("x", 20.5, game_id="20260117_LAL_BOS")
    slate.line("x", 30.5, game_id="0022500600", game_date="2026-01-29")
    slate.prediction(game_id="0022500600")
    slate.prediction(game_id="0022500600", game_date="2026-01-24")

    assert [row[0] for row in slate.answer("x")] == [20.5, 30.5]


def test_line_of_a_namesake_in_another_game_is_left_alone(slate: Slate) -> None:
    """Two players of one name on one date: ids that name the teams tell them apart, in whatever order."""
    slate.line("draftkings", 24.5, game_id="20260117_LAL_BOS")
    slate.line("fanduel", 8.5, game_id="20260117_MIA_CHI")
    slate.prediction(game_id="20260117_BOS_LAL")
    slate.prediction(game_id="20260117_MIA_CHI")

    assert [row[0] for row in slate.answer("consensus")] == [24.5, 8.5]


def test_line_meets_though_its_id_spells_both_teams_otherwise(slate: Slate) -> None:
    """GS at NY is GSW at NYK: while no line shares a team, the date decides."""
    slate.line("draftkings", 24.5, game_id="20260117_GSW_NYK")
    slate.prediction(game_id="20260117_GS_NY")

    assert [row[0] for row in slate.answer("consensus")] == [24.5]


def test_counts_say_what_was_filled_and_what_was_not(slate: Slate) -> None:
    """One got a line, one found none, one had its own."""
    slate.line("x", 20.5)
    slate.prediction()
    slate.prediction(player_lookup="b")
    slate.prediction(line_value=7)

    attached = attach_lines(slate.engine, "predictions", "lines", book="x")

    assert (attached.filled, attached.without) == (1, 1)


def test_recommendation_follows_from_prediction_and_line(slate: Slate) -> None:
    """Above is OVER, below UNDER, equal PASS, no line NO_LINE; what was said stays."""
    for line, said in ((19.5, None), (20.5, None), (20, None), (None, None), (19.5, "HOLD")):
        slate.prediction(line_value=line, recommendation=said, predicted_value=Decimal(20))

    derive_recommendation(slate.engine, "predictions")

    rows = slate.engine.execute("SELECT recommendation FROM predictions ORDER BY load_row").fetchall()
    assert [row[0] for row in rows] == ["OVER", "UNDER", "PASS", "NO_LINE", "HOLD"]
