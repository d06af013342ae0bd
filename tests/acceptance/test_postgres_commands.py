"""Every command does and prints the same for a book in PostgreSQL as for one in a folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.season import BOX_SCORES, CORRECTED, LINES, PICKS, PLAYED
from postgres_book import postgres
from servers import Postgres

__all__ = ["postgres"]

OFFERED = """\
system_id,player_name,game_date,market,predicted_value,created_at,game_id
gamma,Luka Doncic,2026-01-17,points,31,2026-01-17T15:00:00Z,20260117_LAL_BOS
"""
BAD = """\
system_id,player_name,game_id,game_date,predicted_value
alpha,,20260117_LAL_BOS,2026-01-17,x
alpha,Ann Able,20260117_LAL_BOS,2026-01-17,20
"""
LEAGUE_LOG = """\
PLAYER_ID,PLAYER_NAME,TEAM_ABBREVIATION,GAME_ID,GAME_DATE,MATCHUP,MIN,PTS,REB,AST,FG3M,STL,BLK,TOV
1,Jayson Tatum,BOS,0022500601,2026-01-18,BOS vs. LAL,35,22,8,5,2,1,0,3
"""

COMMANDS = (
    (0, "init --check"),
    (0, "init --json"),
    (0, "load predictions picks.csv --json"),
    (0, "load predictions picks.csv"),
    (0, "load actuals box_scores.csv"),
    (0, "load actuals log.csv --source nba_api.league_game_log"),
    (0, "load lines lines.csv"),
    (0, "load predictions offered.csv --line-from lines --derive-recommendation --json"),
    (1, "load predictions bad.csv"),
    (0, "load predictions bad.csv --on-bad-rows quarantine --json"),
    (0, f"grade {PLAYED} --dry-run"),
    (0, f"grade {PLAYED} --json"),
    (0, f"grade {PLAYED}"),
    (0, "grade --all"),
    (0, "grade --from 2026-01-16 --to 2026-01-19 --json"),
    (0, "status"),
    (0, "load actuals corrected.csv"),
    (0, "status --json"),
    (0, f"grade {PLAYED} --dry-run --json"),
    (0, f"grade {PLAYED} --json"),
    *((0, f"report --by {by}") for by in ("system", "market", "player", "date", "confidence_decile")),
    (0, "report --json"),
    (0, "report --compare alpha beta"),
    (0, "explain Doncic 2026-01-17"),
    (0, "explain --id p1 --json"),
    (0, "explain Dontschitsch 2026-01-17"),
    (0, f"runs {PLAYED}"),
    (0, f"revisions {PLAYED}"),
    (0, "sql SELECT~kind,~count(*)~AS~n~FROM~quarantined_rows~GROUP~BY~kind"),
    (64, "sql DELETE~FROM~ledger"),
    (0, "locks list --all"),
    (0, "run-locked nightly -- true"),
    (1, "run-locked nightly -- false"),
    (0, "ledger verify"),
    (0, "ledger verify --deep"),
    (0, "ledger head"),
    (0, "dedupe plan"),
    (0, "config show"),
)
"""Exit code and command, in order; ~ stands for a space within one argument."""

_STAMPS = (
    r"\b[gl]20\d{6}T\d{6,}[0-9a-f]*", r"\b[0-9a-f]{64}\b", r"\b[0-9a-f]{32}\b",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|\+00:00|Z)?", r"\d+(\.\d+)? ?(s|ms|seconds)\b",
    r'"(lock_wait_seconds|duration_seconds|seconds|wait_seconds)": [0-9.e-]+', r"\b[\w-]+:\d+:[\w-]+\b",
)  # fmt: skip


def said(command: Command, folder: Path, url: str, code: int, line: str) -> str:
    """Run one command; return what it printed, without what differs from run to run."""
    arguments = tuple(part.replace("~", " ") for part in line.split())
    try:
        found = command.inside(*arguments, code=code)
    except AssertionError as error:
        return str(error)
    text = found.out + found.err
    for place in (url, str(folder / "book"), str(folder)):
        text = text.replace(place, "PLACE")
    for stamp in _STAMPS:
        text = re.sub(stamp, "STAMP", text)
    return "\n".join(" ".join(part.split()) for part in text.splitlines())


@pytest.fixture(scope="module")
def both(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[Command, Command]:
    """A folder with a book, and one whose book is on the server; the same files in both."""
    commands = []
    for name in ("here", "there"):
        command = Command(tmp_path_factory.mktemp(name))
        if name == "there":
            text = f'[warehouse]\nbook = "{postgres.url}"\nschema = "all_commands"\n'
            command.write("gradeonce.toml", text)
        command("init")
        for file, content in (
            ("picks.csv", PICKS), ("box_scores.csv", BOX_SCORES), ("lines.csv", LINES), ("corrected.csv", CORRECTED),
            ("offered.csv", OFFERED), ("bad.csv", BAD), ("log.csv", LEAGUE_LOG),
        ):  # fmt: skip
            command.write(file, content)
        commands.append(command)
    return commands[0], commands[1]


def test_every_command_says_the_same(both: tuple[Command, Command], postgres: Postgres) -> None:
    """From init to the ledger: exit codes and words agree, but for stamps, places and what config shows."""
    different = []
    for code, line in COMMANDS:
        here, there = (said(command, command.folder, postgres.url, code, line) for command in both)
        if (here != there and line != "config show") or "expected" in here:
            different.append(f"{line}\n--- folder\n{here}\n--- server\n{there}")
    if different:
        pytest.fail("\n\n".join(different), pytrace=False)
