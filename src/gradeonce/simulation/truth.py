"""What was planted in a simulated season: the answers that grading must come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Truth:
    """How many of each kind a simulated season holds. Every field is a count, `postponed_days` apart.

    "Prediction rows" are rows of the files; "grades" are distinct business keys that count; "player-games" are one
    player in one game, as rows of box_scores.csv. Grades are counted before the stat correction, and

        predictions = duplicate_rows + inactive + invalidated + after_tipoff + superseded + grades
        grades = wins + losses + pushes + no_bets + voids (four kinds) + ungradable

    Attributes:
        games: Games on the schedule.
        game_dates: Dates with a game.
        predictions: Prediction rows in all files, copies included.
        duplicate_rows: Prediction rows that repeat another to the letter.
        inactive: Prediction rows with is_active false.
        invalidated: Active prediction rows with an invalidation_reason.
        after_tipoff: Prediction rows created after tip-off.
        superseded: Prediction rows that count but for a later one at the same line.
        picks: Distinct (player, game, system, market) that count; each has one final line.
        line_moves: Prediction rows whose line differs from the issue before of the same pick.
        grades: Distinct business keys that count.
        wins: Grades won.
        losses: Grades lost.
        pushes: Grades on which the actual equals the line.
        no_bets: Grades of players who played, without a line or without OVER or UNDER.
        voids_injury_confirmed: Grades of players who did not play and were OUT or DOUBTFUL, by what the prediction
            knew, else by the last report.
        voids_late_scratch: The same, QUESTIONABLE or PROBABLE.
        voids_unknown: Grades of players who did not play and of whom nothing was reported.
        voids_postponed: Grades of the postponed game: void unless `[grading] moved_game_days` reaches `postponed_days`.
        ungradable: Grades of players whom the box score leaves out, and whom no report mentions.
        grades_without_line: Grades with an empty line, whatever became of them.
        corrected_grades: Grades whose actual value the stat correction changes.
        box_score_rows: Rows of box_scores.csv.
        dnp_reported: Player-games that did not play, OUT or DOUBTFUL by the last report.
        dnp_not_listed: The same, but no row of box_scores.csv: the box score does not list them at all.
        late_scratches: Player-games that did not play, QUESTIONABLE or PROBABLE by the last report.
        dnp_unreported: Player-games that did not play and were never reported.
        dnp_unflagged: Player-games that did not play, shown as 0 minutes and 0 points with is_dnp empty.
        played_zero_minutes: Player-games that played, shown as 0 minutes with is_dnp false.
        injury_rows: Rows of injuries.csv.
        postponed_games: Games played later than predicted for.
        postponed_days: How many days later, in days.
        players_missing: Player-games that were predicted and played, and that the box score leaves out.
        corrections: Rows of stat_correction.csv.
    """

    games: int
    game_dates: int
    predictions: int
    duplicate_rows: int
    inactive: int
    invalidated: int
    after_tipoff: int
    superseded: int
    picks: int
    line_moves: int
    grades: int
    wins: int
    losses: int
    pushes: int
    no_bets: int
    voids_injury_confirmed: int
    voids_late_scratch: int
    voids_unknown: int
    voids_postponed: int
    ungradable: int
    grades_without_line: int
    corrected_grades: int
    box_score_rows: int
    dnp_reported: int
    dnp_not_listed: int
    late_scratches: int
    dnp_unreported: int
    dnp_unflagged: int
    played_zero_minutes: int
    injury_rows: int
    postponed_games: int
    postponed_days: int
    players_missing: int
    corrections: int
