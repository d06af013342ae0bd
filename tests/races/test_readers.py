"""A reader that looks all the time sees the old version whole or the new one whole; never empty, never mixed (G2)."""

from __future__ import annotations

from pathlib import Path

from builders import land_season, ledger_findings, open_book
from gradeonce.schema import ACCURACY
from races.crew import Crew, Stand

DAYS, PLAYERS, SYSTEMS = 3, 4, 2
CORRECTIONS = [12, 13]


def test_backfill_and_scheduled_run_and_corrections_never_show_a_torn_partition(crew: Crew, folder: Path) -> None:
    """A backfill, two scheduled runs, a stream of corrections and two readers, until all corrections are in."""
    land_season(folder, DAYS, PLAYERS, SYSTEMS)
    with open_book(folder) as book:
        book.grade(all_dates=True)
    crew.stand_at(Stand(folder))
    reader = ("look_over_and_over", {"rows": PLAYERS * SYSTEMS})
    crew.start(
        [
            ("correct_over_and_over", {"days": DAYS, "players": PLAYERS, "versions": CORRECTIONS}),
            ("grade_over_and_over", {"day": None}),
            ("grade_over_and_over", {"day": "2026-01-01"}),
            ("grade_over_and_over", {"day": "2026-01-02"}),
            *[reader] * 2,
            *[("rest", {})] * 2,
        ]
    )

    corrected = crew.result(0)
    crew.stop.set()
    answers = [crew.result(worker) for worker in range(1, crew.size)]

    assert corrected == {"landed": len(CORRECTIONS)}
    assert [answer for answer in answers if "error" in answer] == []
    for seen in answers[3:5]:
        assert seen["wrong"] == []
        # Readers ran from before the first correction until after the last: they saw the versions change.
        assert seen["versions"] >= 2
    with open_book(folder) as book:
        sql = f"SELECT game_date, count(*) FROM {ACCURACY.name} WHERE actual_value = 13 GROUP BY ALL"
        assert [rows for _, rows in book.sql(sql).rows] == [PLAYERS * SYSTEMS] * DAYS
        # Every row was changed by every correction, exactly once, whoever of the three graders came first.
        sql = "SELECT reason, count(*) FROM grade_revisions GROUP BY ALL"
        assert book.sql(sql).rows == [("stat_correction", DAYS * PLAYERS * SYSTEMS * len(CORRECTIONS))]
        assert ledger_findings(book.warehouse) == ()
