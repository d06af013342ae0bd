"""A season of two dates, small enough to be graded in one's head.

2026-01-17, Lakers at Celtics, is over: Doncic 30 points (28 after a correction), Tatum 22. 2026-01-19 is to come.

    alpha  p0  Doncic  21.5 UNDER 26.5   does not count: p1 came later on the same line
    alpha  p1  Doncic  27.5 OVER  26.5   win,  error -2.5  (corrected: win,  -0.5)   not the final line
    alpha  p2  Doncic  27.5 UNDER 28.5   loss, error -2.5  (corrected: win,  -0.5)
    beta   p3  Doncic  20   UNDER 26.5   loss, error -10   (corrected: loss, -8)
    alpha  p4  Tatum   25   UNDER 22     push, error 3
    alpha  p5  Nobody  25   OVER  22     ungradable: in no box score
    alpha  p6  Doncic  25   OVER  22     pending: another date
"""

from __future__ import annotations

from acceptance.command import Command

PLAYED, COMING = "2026-01-17", "2026-01-19"

PICKS = """\
prediction_id,system_id,player_name,game_id,game_date,market,predicted_value,line_value,recommendation,confidence_score,\
created_at,bookmaker,over_price,under_price
p0,alpha,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,21.5,26.5,UNDER,70,2026-01-17T14:00:00Z,fanduel,-120,100
p1,alpha,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,27.5,26.5,OVER,70,2026-01-17T15:00:00Z,fanduel,-120,100
p2,alpha,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,27.5,28.5,UNDER,60,2026-01-17T16:00:00Z,fanduel,-110,-110
p3,beta,Luka Doncic,20260117_LAL_BOS,2026-01-17,points,20,26.5,UNDER,0.9,2026-01-17T15:00:00Z,,,
p4,alpha,Jayson Tatum,20260117_LAL_BOS,2026-01-17,points,25,22,UNDER,,,,,
p5,alpha,Nobody Known,20260117_LAL_BOS,2026-01-17,points,25,22,OVER,,,,,
p6,alpha,Luka Doncic,20260119_LAL_DEN,2026-01-19,points,25,22,OVER,,,,,
"""
BOX_SCORES = """\
player_name,game_id,game_date,points,rebounds,assists,minutes_played,team_abbr,opponent_team_abbr
Luka Dončić,0022500600,2026-01-17,30,9,11,36:20,LAL,BOS
Jayson Tatum,0022500600,2026-01-17,22,8,5,35,BOS,LAL
"""
CORRECTED = """\
player_name,game_id,game_date,points,rebounds,assists,minutes_played,team_abbr,opponent_team_abbr
Luka Dončić,0022500600,2026-01-17,28,9,11,36:20,LAL,BOS
"""
LINES = """\
player_name,game_date,market,bookmaker,line_value,over_price,under_price,observed_at
Luka Doncic,2026-01-17,points,fanduel,26.5,-120,100,2026-01-17T14:00:00Z
"""
FIRST_COUNTS = {
    "predictions": 5,
    "win": 1,
    "loss": 2,
    "push": 1,
    "no_bet": 0,
    "void": 0,
    "ungradable": 1,
    "pending": 0,
}
FIRST_MAE, FIRST_BIAS = (2.5 + 2.5 + 10 + 3) / 4, (-2.5 - 2.5 - 10 + 3) / 4
CORRECTED_MAE, CORRECTED_BIAS = (0.5 + 0.5 + 8 + 3) / 4, (-0.5 - 0.5 - 8 + 3) / 4


def load_season(gradeonce: Command) -> None:
    """Load predictions, box scores and lines into a book that is there."""
    gradeonce.inside("load", "predictions", gradeonce.write("picks.csv", PICKS))
    gradeonce.inside("load", "actuals", gradeonce.write("box_scores.csv", BOX_SCORES))
    gradeonce.inside("load", "lines", gradeonce.write("lines.csv", LINES))


def load_correction(gradeonce: Command) -> None:
    """Load what the league corrected two days later."""
    gradeonce.inside("load", "actuals", gradeonce.write("corrected.csv", CORRECTED))
