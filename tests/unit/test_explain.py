"""Explaining grades: what counted, what did not and why, what changed."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest

from gradeonce.errors import UsageError
from gradeonce.reports import explain, explanation_document, explanation_text
from gradeonce.reports.explanation import GradeSeen
from gradeonce.reports.sentences import rule_of
from gradeonce.rules import RuleSettings, grading_params, grading_sql
from gradeonce.schema import ACTUALS, INJURIES, LINES, PREDICTIONS, REVISIONS
from small_book import DAY, SmallBook

GRADED_AT = datetime.fromisoformat("2026-01-18T07:00:00")


@pytest.fixture
def book() -> Iterator[SmallBook]:
    book = SmallBook()
    yield book
    book.close()


def at(clock: str, day: str = "2026-01-17") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}")


def only_pick(book, **asked):
    (pick,) = explain(book, **(asked or {"player": "lukadoncic", "day": DAY})).picks
    return pick


def test_the_prediction_that_counted_is_shown_with_its_grade_and_rule(book) -> None:
    """25 points against 22.5."""
    book.add(PREDICTIONS)
    book.add(ACTUALS)
    book.add_grade("win", actual=25)

    (line,) = only_pick(book).lines

    assert line.rule == "25 points against a line of 22.5: OVER wins."
    assert line.counted.prediction_id == line.grade.prediction_id == "p1"
    assert (line.rivals, line.is_final_line) == ((), True)


@pytest.mark.parametrize(
    ("values", "settings", "reason", "why"),
    [
        ({"is_active": False}, {}, "inactive", "It is marked as not active."),
        ({"invalidation_reason": "wrong team"}, {}, "invalidated", "It was invalidated: wrong team."),
        (
            {"line_source": "ESTIMATED"},
            {"line_sources": ("ACTUAL_PROP",)},
            "line_source_excluded",
            "Its line source, ESTIMATED, is not one of those that count ([grading] line_sources).",
        ),
        (
            {"line_value": 20},
            {"excluded_lines": (20.0,)},
            "line_excluded",
            "Its line, 20, is set as a placeholder ([grading] excluded_lines).",
        ),
        (
            {"created_at": at("23:30"), "tipoff_at": at("23:00")},
            {},
            "after_tipoff",
            "It was made at 2026-01-17 23:30:00 UTC, not before tip-off at 2026-01-17 23:00:00 UTC.",
        ),
    ],
)
def test_a_prediction_that_does_not_count_says_why(book, values, settings, reason, why) -> None:
    """Each reason of the rules has its sentence."""
    book.add(PREDICTIONS, **values)

    pick = only_pick(book, player="lukadoncic", day=DAY, rules=RuleSettings(**settings))

    (line,) = pick.lines
    (rival,) = line.rivals
    assert (rival.excluded_reason, rival.why) == (reason, why)
    assert (line.counted, line.rule) == (None, "No prediction with this line counts.")


def test_a_superseded_prediction_names_the_one_that_counts(book) -> None:
    """Same key, earlier."""
    book.add(PREDICTIONS, prediction_id="early", created_at=at("10:00"))
    book.add(PREDICTIONS, prediction_id="late", created_at=at("11:00"))

    (line,) = only_pick(book).lines

    assert line.counted.prediction_id == "late"
    assert [rival.prediction_id for rival in line.rivals] == ["early"]
    assert line.rivals[0].why.startswith("late counts in its place")


def test_the_line_history_is_in_order_and_ends_with_the_final_line(book) -> None:
    """Three lines, three grades."""
    for hour, line, is_final in ((15, "23.5", True), (9, "21.5", False), (12, "22.5", False)):
        book.add(PREDICTIONS, prediction_id=f"at{hour}", line_value=line, created_at=at(f"{hour:02d}:00"))
        book.add_grade("win", actual=25, line_value=line, prediction_id=f"at{hour}", is_final_line=is_final)

    lines = only_pick(book).lines

    assert [line.line_value for line in lines] == [Decimal("21.5"), Decimal("22.5"), Decimal("23.5")]
    assert [line.is_final_line for line in lines] == [False, False, True]


def test_every_pick_of_the_day_is_explained(book) -> None:
    """By market, then system; other players and days are not."""
    for system, market in (("beta", "points"), ("alpha", "points"), ("alpha", "assists")):
        book.add(PREDICTIONS, system_id=system, market=market)
    book.add(PREDICTIONS, player_lookup="bub")
    book.add(PREDICTIONS, game_date=date(2026, 1, 18))

    picks = explain(book, player="lukadoncic", day=DAY).picks

    assert [(p.market, p.system_id) for p in picks] == [
        ("assists", "alpha"),
        ("points", "alpha"),
        ("points", "beta"),
    ]


def test_a_prediction_id_explains_its_whole_pick_and_no_other(book) -> None:
    """Its rivals and other lines belong to it; another system's pick does not."""
    book.add(PREDICTIONS, prediction_id="p1")
    book.add(PREDICTIONS, prediction_id="p2", line_value="23.5")
    book.add(PREDICTIONS, prediction_id="p3", system_id="beta")

    found = explain(book, prediction_id="p2")

    assert (found.player_lookup, found.day) == ("lukadoncic", DAY)
    assert [(pick.system_id, len(pick.lines)) for pick in found.picks] == [("alpha", 2)]


def test_a_player_may_be_given_by_any_spelling(book) -> None:
    """Accents, order, case; and a lookup of the user's own making as it stands."""
    book.add(PREDICTIONS)
    book.add(PREDICTIONS, player_lookup="LD77")

    for name in ("Luka Dončić", "luka doncic", "Doncic, Luka", "lukadoncic"):
        assert explain(book, player=name, day=DAY).player_lookup == "lukadoncic"
    assert explain(book, player="LD77", day=DAY).player_lookup == "LD77"


def test_an_unknown_player_is_a_result_with_the_nearest_names(book) -> None:
    """Not an error."""
    book.add(PREDICTIONS)
    book.add(PREDICTIONS, player_lookup="bubcarrington", player_name="Bub Carrington")

    found = explain(book, player="Luka Donic", day=DAY)

    assert not found.is_found
    assert [near.player_name for near in found.nearest] == ["Luka Dončić"]
    assert explanation_text(found) == "no predictions for a player 'Luka Donic'; the nearest names are Luka Dončić"


def test_a_player_without_predictions_that_day_is_a_result_with_the_nearest_dates(book) -> None:
    """Nearest first, five at most."""
    for day in (1, 5, 12, 19, 20, 30):
        book.add(PREDICTIONS, game_date=date(2026, 1, day))

    found = explain(book, player="lukadoncic", day=DAY)

    assert [day.day for day in found.other_dates] == [19, 20, 12, 5, 30]
    assert "no predictions for Luka Dončić on 2026-01-17; there are some on 2026-01-19" in explanation_text(found)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"prediction_id": "nope"}, "no prediction has the id nope"),
        ({"player": "77", "day": DAY}, "no predictions for a player '77', and no name comes near"),
    ],
)
def test_nothing_to_explain_says_so(book, asked, text) -> None:
    """An answer, not an error."""
    assert explanation_text(explain(book, **asked)) == text


@pytest.mark.parametrize(
    "asked", [{}, {"player": "x"}, {"day": DAY}, {"player": "x", "day": DAY, "prediction_id": "p"}]
)
def test_a_question_must_name_either_a_player_and_date_or_an_id(book, asked) -> None:
    """Neither nothing nor both."""
    with pytest.raises(UsageError, match="a player and a date, or a prediction id"):
        explain(book, **asked)


def test_a_game_that_moved_names_the_prediction_for_its_new_date(book) -> None:
    """The later one counts, on the new date; it once said "not graded yet", however often it was graded."""
    book.add(PREDICTIONS, prediction_id="p1")
    later = {"prediction_id": "p2", "game_date": date(2026, 1, 20), "created_at": at("15:00", "2026-01-20")}
    book.add(PREDICTIONS, **later)

    pick = only_pick(book)

    assert pick.note == ""
    assert pick.lines[0].rule == "No prediction with this line counts."
    assert [(rival.prediction_id, rival.why) for rival in pick.lines[0].rivals] == [
        (
            "p1",
            "p2 counts in its place: the same line, predicted later or at the same instant, for 2026-01-20.",
        )
    ]


def test_older_actuals_stand_behind_the_one_in_use(book) -> None:
    """Final before provisional, then the latest recorded."""
    book.add(ACTUALS, actual_value=24, is_final=False, recorded_at=at("09:00", "2026-01-19"))
    book.add(ACTUALS, actual_value=26, recorded_at=at("06:00", "2026-01-18"))
    book.add(ACTUALS, actual_value=25, recorded_at=at("07:00", "2026-01-18"))
    book.add(ACTUALS, actual_value=11, market="assists")
    book.add(PREDICTIONS)

    actuals = only_pick(book).actuals

    assert [(a.actual_value, a.is_used) for a in actuals] == [(25, True), (26, False), (24, False)]


def test_a_box_score_that_knows_the_game_by_another_id_is_found(book) -> None:
    """Predictions by date and teams, the box score by ten digits."""
    book.add(PREDICTIONS, game_id="20260117_LAL_POR")
    book.add(ACTUALS)

    (actual,) = only_pick(book).actuals

    assert (actual.game_id, actual.actual_value, actual.is_used) == ("0022500601", 25, True)


def test_the_actual_in_use_is_the_one_that_grading_takes(book) -> None:
    """The rules themselves grade the same rows, and take what is shown as used."""
    book.add(PREDICTIONS)
    for value, recorded, is_final in ((24, "06:00", False), (23, "05:00", True), (25, "05:30", True)):
        book.add(ACTUALS, actual_value=value, recorded_at=at(recorded, "2026-01-18"), is_final=is_final)
    tables = {"predictions": PREDICTIONS.name, "actuals": ACTUALS.name, "injuries": INJURIES.name}

    graded = book.query(
        grading_sql(tables), grading_params(RuleSettings(), [DAY], run_id="r", graded_at=GRADED_AT)
    ).dicts()

    assert [row["actual_value"] for row in graded] == [a.actual_value for a in only_pick(book).actuals if a.is_used]


def test_a_correction_after_grading_is_noted(book) -> None:
    """The grade says 24, the book by now 25."""
    book.add(PREDICTIONS)
    book.add_grade("win", actual=24)
    book.add(ACTUALS, actual_value=24)
    book.add(ACTUALS, actual_value=25, loaded_at=at("09:00", "2026-01-19"))

    assert only_pick(book).note == (
        "The grade was made of 24; a box score loaded at 2026-01-19 09:00:00 UTC says 25. "
        "Run `gradeonce grade 2026-01-17` to grade it again."
    )


def test_what_is_graded_and_fits_has_no_note(book) -> None:
    """Nothing to say."""
    book.add(PREDICTIONS)
    book.add_grade("win", actual=25)
    book.add(ACTUALS)

    assert only_pick(book).note == ""


@pytest.mark.parametrize(
    ("predictions", "note"),
    [
        ([{"line_value": "30.5"}, {"prediction_id": "p1"}], "The line 30.5 is not graded yet."),
        ([{"is_active": False}], "The line 22.5 is graded, but its prediction no longer counts."),
        ([{}, {"prediction_id": "p9"}], "The grade is of p1; by now p9 counts."),
    ],
)
def test_grades_that_no_longer_fit_are_noted(book, predictions, note) -> None:
    """A new line, a prediction withdrawn, a later one."""
    for values in predictions:
        book.add(PREDICTIONS, **values)
    book.add_grade("win", actual=25)

    assert only_pick(book).note.startswith(note)


def test_revisions_show_what_changed_and_leave_stamps_out(book) -> None:
    """Outcome and actual changed; run id and instant change with every run."""
    book.add(PREDICTIONS)
    key = (
        '{"player_lookup":"%s","game_id":"0022500601","system_id":"alpha","market":"points","line_value":22.500000000}'
    )
    old = {"line_value": 22.5, "actual_value": 22, "outcome": "loss", "run_id": "run1", "graded_at": "then"}
    new = {"line_value": 22.5, "actual_value": 25, "outcome": "win", "run_id": "run2", "graded_at": "now"}
    for player in ("lukadoncic", "bub"):
        book.add(REVISIONS, key_json=key % player, old_json=json.dumps(old), new_json=json.dumps(new))
    book.add(REVISIONS, key_json=key % "lukadoncic", table_name="another_table")

    (line,) = only_pick(book).lines
    (revision,) = line.revisions

    assert revision.differences == (("actual_value", 22, 25), ("outcome", "loss", "win"))
    assert (revision.reason, revision.run_id) == ("stat_correction", "run2")
    assert "changed (stat correction) by run run2: actual_value 22 -> 25, outcome loss -> win" in explanation_text(
        explain(book, player="lukadoncic", day=DAY)
    )


def test_loaded_lines_and_injury_reports_are_shown(book) -> None:
    """Those of the market and of the game, or of no game in particular."""
    book.add(PREDICTIONS)
    book.add(LINES, observed_at=at("10:00"), over_price=-115)
    book.add(LINES, observed_at=at("09:00"), line_value="21.5", game_id="0022500601")
    book.add(LINES, game_id="another")
    book.add(LINES, market="assists")
    book.add(INJURIES, status="PROBABLE", reason="ankle", reported_at=at("08:00"))

    found = explain(book, player="lukadoncic", day=DAY)

    assert [offer.line_value for offer in found.picks[0].offered] == [Decimal("21.5"), Decimal("22.5")]
    assert [(report.status, report.reason) for report in found.injuries] == [("PROBABLE", "ankle")]


@pytest.mark.parametrize(
    ("grade", "sentence"),
    [
        (
            {"outcome": "win", "recommendation": "UNDER", "actual_value": 20},
            "20 points against a line of 22.5: UNDER wins.",
        ),
        ({"outcome": "loss", "actual_value": 22}, "22 points against a line of 22.5: OVER loses."),
        (
            {"outcome": "push", "line_value": Decimal("25.000000000")},
            "25 points against a line of 25: exactly the line, a push; the stake goes back.",
        ),
        (
            {"outcome": "no_bet", "line_value": None},
            "25 points; there was no line, so it is no bet and only its error counts.",
        ),
        (
            {"outcome": "no_bet", "recommendation": "PASS"},
            "25 points; the recommendation was PASS, so it is no bet and only its error counts.",
        ),
        (
            {"outcome": "no_bet", "recommendation": None},
            "25 points; there was no recommendation, so it is no bet and only its error counts.",
        ),
        (
            {"outcome": "void", "void_reason": "dnp_injury_confirmed", "pre_game_injury_status": "OUT"},
            "He did not play, and was OUT before the game: void (dnp_injury_confirmed).",
        ),
        (
            {"outcome": "void", "void_reason": "dnp_unknown"},
            "He did not play, and no injury report had announced it: void (dnp_unknown).",
        ),
        (
            {"outcome": "void", "void_reason": "game_moved"},
            "The game was played on 2026-01-29, too far from the date predicted for: void (game_moved).",
        ),
        ({"outcome": "ungradable", "ungradable_reason": "of_tomorrow"}, "Ungradable: of tomorrow."),
        (
            {"outcome": "ungradable", "ungradable_reason": "market_not_in_box_score"},
            "The final box score of the game names the player but has no points: ungradable.",
        ),
        ({"outcome": "pending"}, "The game has no final box score yet: pending."),
    ],
)
def test_each_outcome_has_a_plain_sentence(grade, sentence) -> None:
    """The rule that decided, in words."""
    values = {
        "prediction_id": "p1", "line_value": Decimal("22.5"), "predicted_value": Decimal(25), "recommendation": "OVER",
        "confidence_score": None, "actual_value": Decimal(25), "minutes_played": None, "signed_error": None,
        "is_final_line": True, "void_reason": None, "ungradable_reason": None, "pre_game_injury_status": None,
        "rules_version": 1, "run_id": "r", "graded_at": GRADED_AT,
    }  # fmt: skip
    seen = GradeSeen(**{**values, **{k: Decimal(v) if k == "actual_value" else v for k, v in grade.items()}})

    assert rule_of(seen, "points", played_date=date(2026, 1, 29)) == sentence


def test_the_text_names_everything(book) -> None:
    """One paragraph a pick."""
    book.add(PREDICTIONS, created_at=at("10:00"))
    book.add(PREDICTIONS, prediction_id="p0", created_at=at("09:00"))
    book.add(ACTUALS)
    book.add(INJURIES, status="PROBABLE", reported_at=at("08:00"))
    book.add_grade("win", actual=25)

    assert explanation_text(explain(book, player="lukadoncic", day=DAY)).splitlines() == [
        "Luka Dončić (lukadoncic), 2026-01-17",
        "",
        "Injury reports",
        "  2026-01-17 08:00:00 UTC: PROBABLE",
        "",
        "alpha, points, game 0022500601",
        "  Line 22.5: win, the final line",
        "    25 points against a line of 22.5: OVER wins.",
        "    graded 2026-01-18 07:00:00 UTC by run run1, rules version 1, error +0.00",
        "    counts:       p1 predicts 25, OVER; made at 2026-01-17 10:00:00 UTC",
        "    does not:     p0 predicts 25, OVER; made at 2026-01-17 09:00:00 UTC",
        "                  p1 counts in its place: the same line, predicted later or at the same instant.",
        "  Actual",
        "    used: 25 in 34 minutes; final, game 0022500601 of 2026-01-17, loaded 2026-01-17 12:00:00 UTC",
    ]


def test_the_document_is_plain_json(book) -> None:
    """No Decimal, no date, nothing json.dumps would refuse."""
    book.add(PREDICTIONS)
    book.add(ACTUALS)
    book.add_grade("win", actual=25)

    document = json.loads(json.dumps(explanation_document(explain(book, player="lukadoncic", day=DAY))))

    line = document["picks"][0]["lines"][0]
    assert (document["schema_version"], document["day"], line["line_value"]) == (1, "2026-01-17", 22.5)
    assert line["grade"]["graded_at"] == "2026-01-18T07:00:00Z"
    assert document["picks"][0]["actuals"][0]["actual_value"] == 25
