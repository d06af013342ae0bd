"""reference/json.md: what --json prints, taken from commands that are run over a small simulated season."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from docstrings import attributes, table

import gradeonce
from gradeonce import checks, migrate, reports
from gradeonce.adopt import AdoptReport
from gradeonce.alerts.deliver import Sent
from gradeonce.alerts.memory import Alert, Announcement, Delivery
from gradeonce.alerts.samples import SAMPLES
from gradeonce.backfill import GradeReport
from gradeonce.cli.grading import estimate_document
from gradeonce.cli.main import run
from gradeonce.cli.migrating import migration_document
from gradeonce.collecting import CollectReport
from gradeonce.dedupe import Applied, Backup, Finding, Plan, PlannedPartition, RolledBack, SampleKey, Verified
from gradeonce.estimating import CostEstimate
from gradeonce.gcp.deploy import Removal, StepDone
from gradeonce.gcp.verify import Finding as Answer
from gradeonce.grading import PartitionRun
from gradeonce.leases import LeaseRecord
from gradeonce.ledger import LedgerProof
from gradeonce.load import LoadReport
from gradeonce.migrate.columns import Mapped
from gradeonce.reports import explanation
from gradeonce.simulation import simulate_season
from gradeonce.staging import ConsolidationReport, StagedBatch, StageReport, SweepReport
from gradeonce.status import DateStatus
from gradeonce.warehouses.base import Leftover

INTRO = """# JSON

With `--json` a command prints one JSON object to stdout, and nothing else goes there. `schema_version` rises when a key
changes its meaning or goes away; new keys may be added at any time. Instants are ISO 8601 in UTC, dates `YYYY-MM-DD`,
numbers are numbers, no data is `null`. A figure `x` comes with `x_n`, the observations behind it; a rate also with the
ends of its interval, `x_low` and `x_high`.

`sql --json` prints a list of objects instead, one per row. `x[]` stands for every element of the list `x`.
"""

COMMON = {
    "schema_version": "Version of this layout.",
    "partition": "The date.",
    "from": "First date asked for.",
    "to": "Last date asked for.",
    "systems": "Systems asked for; empty: all.",
    "markets": "Markets asked for; empty: all.",
    "level": "Level of the intervals.",
    "assumed_odds": "American odds taken for a bet without a price.",
    "by": "What it is grouped by.",
    "label": "How to show the group.",
    "predictions": "Predictions that count.",
    "n": "Observations behind `mae` and `bias`.",
}
OUTCOMES = dict.fromkeys(("win", "loss", "push", "no_bet", "void", "ungradable", "pending"), "Outcome count.")
READY = {
    "date": "The date.",
    "state": "ready, waiting or idle (nothing is known of the date).",
    "games": "Games that were predicted.",
    "games_final": "Of these, how many have a final box score.",
    "pending": "Predictions of the others.",
    "ungradable": "Predictions that do not meet the final box scores.",
    "missing": "What is missing: predictions, box_scores.",
    "reason": "Why it is not ready, in a sentence; empty when it is.",
}
OWN: dict[str, dict[str, str]] = {
    "init": {
        "book": "The book's folder.",
        "created": "Whether it was made now.",
        "dates_summed": "Dates, graded by an earlier version, whose daily sums were added now.",
        "config": "The settings file.",
        "wrote_config": "Whether it was written now.",
        "missing": "What is still missing, one line each.",
    },
    "config show": {
        "settings": "One for each setting.",
        "section": "Section of the file.",
        "key": "Key in it.",
        "value": "The value as TOML, secrets masked.",
        "origin": "default, the file's path, the variable, or flag.",
        "help": "What it does.",
    },
    "load": {},
    "stage write": {},
    "stage consolidate": {},
    "stage list": {"batches": "One for each."},
    "stage sweep": {},
    "gc": {"files": "One for each.", "bytes": "Size; of all of them or of one."},
    "sources": {
        "sources": "One for each.",
        "name": "What `--source` takes; of a layout, its own name.",
        "kinds": "What it loads.",
        "about": "One sentence.",
        "layouts": "The shapes it knows.",
        "needs": "Columns that must be there.",
    },
    "grade": {
        "dry_run": "Whether nothing was changed.",
        "runs": "One per date, in order.",
        "totals": "Sums over the runs.",
        "alerts": "With `--alert`: ids of the alerts opened, escalated, reminded, folded and recovered, and what "
        "became of each message; else null.",
        "error": "What went wrong, for status failed; else null.",
        "changes": "Only in a dry run that would change grades: examples, each a list of change, reason and key.",
        **OUTCOMES,
    },
    "grade --estimate": {},
    "ready": READY,
    "schedule run --once": {
        "state": "done, late, failed, elsewhere (another process is at it) or nothing_due; of a date: see `ready`.",
        "morning": "The morning: its date where the league plays; null when nothing was due.",
        "due_at": "When it was due.",
        "next_due_at": "When the next one is due.",
        "readiness": "What was in for the date, as for `ready`; null if it could not be looked at.",
        "reason": "Why it is not done, or why the date is not ready; empty if nothing is wrong.",
        "attempts": "How often the date was looked at.",
        "dates": "What became of each date that was graded.",
        "checks": "What the checks came to; null if none were run.",
        **{key: meaning for key, meaning in READY.items() if key not in ("state", "reason")},
        "status": "As in the runs of `grade`.",
    },
    "status": {"dates": "One per date.", "states": "How many dates are in each state."},
    "runs": {"runs": "Rows of [grading_runs](tables.md#grading_runs), newest first."},
    "revisions": {"revisions": "Rows of [grade_revisions](tables.md#grade_revisions), newest first."},
    "report": {
        "groups": "One per group, see the columns of the report.",
        "total": "The same figures over all.",
        **OUTCOMES,
    },
    "report --calibration": {"bins": "One per system and decile."},
    "report --compare": {},
    "explain": {},
    "alerts list": {
        "alerts": "One per alert, newest first.",
        "open": "Whether its problem is not over.",
        "severity": "warn or fail: of the alert when it was last seen, of an announcement when it was told.",
    },
    "alerts show": {
        "alert": "The alert.",
        "open": "Whether its problem is not over.",
        "severity": "warn or fail: of the alert when it was last seen, of an announcement when it was told.",
    },
    "alerts test": {"messages": "One per message and channel, up to the first that a channel did not take."},
    "alerts retry": {"messages": "What became of each message that was due."},
    "check": {
        "counts": "How many checks ended in each way.",
        "checks": "One per check, ours first.",
        "status": "How it ended: of all together, and of each.",
        "alerts": "With `--alert`: as for `grade`; else null.",
    },
    "check --history": {},
    "locks list": {"leases": "One per key.", "held": "Whether the claim stands."},
    "locks release": {
        "released": "The lease.",
        "token": "The token of the claim that was broken.",
        "holder": "Who held it.",
    },
    "adopt": {
        "duplicated_keys": "Keys that stand more than once.",
        "duplicates": "The same by date and number of copies.",
    },
    "migrate gcp": {
        "columns": "Their name of each column of ours.",
        "left_out": "Columns of theirs that are not taken.",
        "duplicated_keys": "Keys that stand more than once.",
        "duplicates": "The same by date and number of copies.",
        "held": "Dates that are not graded, with the reason.",
        "compared": "Dates whose grades were held against our rules.",
        "rows_adopted": "Rows that were adopted now.",
        "plan": "The plan by which copies were removed now; null if none were.",
        "rows_removed": "Copies that were removed now.",
        "backup": "Table with the rows as they stood before that.",
        "graded": "Dates that were graded now.",
        "errors": "Dates that could not be graded, with the error.",
    },
    "dedupe plan": {
        "plan_id": "Its name; null if there is nothing to do.",
        "table": "Table looked at.",
        "key": "Columns that make rows copies; of a sample, their values.",
        "keep": "Which copy stays: earliest or latest.",
        "by": "Column that tells earliest from latest.",
        "rows_deleted": "Rows that would go.",
        "adopted": "Whether the rows were adopted and not graded since.",
    },
    "dedupe apply": {"plan_id": "The plan.", "table": "The table."},
    "dedupe verify": {
        "plan_id": "The plan.",
        "state": "planned, applied or rolled_back.",
        "passed": "Whether it is as it should be.",
    },
    "dedupe rollback": {
        "plan_id": "The plan.",
        "table": "The table.",
        "dry_run": "Whether nothing was changed.",
        "kind": "What changed it: kind of the ledger entry.",
        "happened_at": "When.",
    },
    "dedupe backups": {
        "backups": "One each, oldest first.",
        "dry_run": "With `--drop-expired`: whether nothing was changed.",
        "dropped": "With `--drop-expired`: those that went, or would go.",
    },
    "gcp deploy": {
        "dry_run": "Whether nothing was asked of Google.",
        "state": "stands, made or changed.",
        "steps": "One for each thing that must stand, in order.",
    },
    "gcp deploy --dry-run": {
        "dry_run": "Whether nothing was asked of Google.",
        "steps": "One for each thing that must stand, in order.",
        "name": "What it is.",
        "why": "What it is for.",
        "look": "The command that sees whether it stands, word by word. `${x}` in a word is a value of the project.",
        "create": "The one that makes it; empty: it cannot be made by us.",
        "update": "The one that changes it; empty: it cannot be changed.",
        "undo": "The one that takes it back; empty: it stays.",
        "keeps_data": "Whether it holds what cannot be made again, so that it is never taken back.",
    },
    "gcp rollback": {
        "applied": "Whether it was done.",
        "serving": "The revision that got the messages.",
        "to": "The one that gets them, or would.",
        "command": "What does it.",
    },
    "gcp rollback --everything": {
        "applied": "Whether it was done.",
        "removals": "One for each thing, the last first.",
        "state": "removed, would be removed, kept, or not there.",
    },
    "gcp status": {
        "whole": "Whether every step stands as it should.",
        "steps": "One for each thing that must stand, in order.",
        "facts": "What else there is to know.",
        "name": "The step, or the fact.",
        "state": "stands, missing or differs.",
        "value": "How it is.",
        "fine": "Whether that is as it should be.",
        "hint": "What to do if not.",
    },
    "gcp costs": {
        "as_of": "Day of the prices.",
        "currency": "Of the prices and costs.",
        "place": "Where the prices hold.",
        "total": "Sum of the costs of a month.",
        "lines": "One for each price.",
        "name": "The price, see [cloud-prices.md](cloud-prices.md).",
        "unit": "What one of it is.",
        "usage": "Units used.",
        "free": "Units that are free.",
        "price": "Of one unit.",
        "cost": "What is not free, times the price.",
    },
    "gcp verify": {"checks": "One for each check.", "bytes_billed": "What the checks of BigQuery billed together."},
    "gcp source": {"folder": "Where it was written.", "files": "What is in it."},
    "ledger verify": {"holds": "True; a chain that does not hold is an error (exit 1)."},
    "ledger head": {
        "head": "The latest entry; null for an empty ledger.",
        "number": "Its number.",
        "at": "When it was appended.",
        "entry_hash": "Its hash: the one to publish.",
    },
    "an error": {
        "error": "What went wrong.",
        "kind": "Name of the error, see [errors.md](errors.md).",
        "message": "What happened.",
        "state": "What state the data is in now.",
        "hint": "What to do next.",
        "exit_code": "The exit code.",
    },
}
ADOPTED = """game_date,system_id,player_lookup,game_id,line_value,predicted_value,outcome,graded_at
2020-01-01,theirs,ann,game1,20.5,22,win,2020-01-02T08:00:00Z
2020-01-01,theirs,ann,game1,20.5,22,loss,2020-01-02T09:00:00Z
"""

RECORDS: dict[str, tuple[type, ...]] = {
    "load": (LoadReport,),
    "stage write": (StageReport,),
    "stage consolidate": (ConsolidationReport,),
    "stage list": (StagedBatch,),
    "stage sweep": (StagedBatch, SweepReport),
    "grade": (PartitionRun, GradeReport),
    "grade --estimate": (CostEstimate,),
    "status": (DateStatus,),
    "report": (reports.Figures, reports.Report),
    "report --calibration": (reports.ConfidenceBin, reports.Calibration),
    "report --compare": (reports.Comparison,),
    "alerts list": (Delivery, Announcement, Alert),
    "alerts show": (Delivery, Announcement, Alert),
    "alerts test": (Sent,),
    "alerts retry": (Sent,),
    "check": (checks.CheckResult, checks.CheckReport),
    "check --history": (checks.CheckStanding, checks.CheckHistory),
    "locks list": (LeaseRecord,),
    "adopt": (AdoptReport,),
    "migrate gcp": (
        AdoptReport,
        migrate.MovedLines,
        migrate.Findings,
        migrate.Sample,
        migrate.Difference,
        migrate.Comparison,
        Mapped,
        migrate.MigrationReport,
    ),
    "dedupe plan": (Plan, PlannedPartition, SampleKey),
    "dedupe apply": (Applied,),
    "dedupe verify": (Finding, Verified),
    "dedupe rollback": (RolledBack,),
    "dedupe backups": (Backup,),
    "gcp deploy": (StepDone,),
    "gcp rollback --everything": (Removal,),
    "gcp status": (StepDone,),
    "gcp verify": (Answer,),
    "gc": (Leftover, CollectReport),
    "ledger verify": (LedgerProof,),
}
ROWS_OF_TABLES = {"runs", "revisions"}
SHOWN_AS_RECORD = {"explain": explanation.Explanation}


def page() -> str:
    parts = [INTRO]
    for name, documents in _documents().items():
        parts += [f"## {name}", _layout(name, documents)]
    return "\n\n".join(parts)


def _documents() -> dict[str, list[Any]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        season = simulate_season(folder / "files", seed=7, days=12, predictions=1500)
        files = {file.kind: str(file.path) for file in season.files if not file.is_correction}
        correction = next(str(file.path) for file in season.files if file.is_correction)
        where = ["--book", str(folder / "book"), "--config", str(folder / "gradeonce.toml")]

        def ask(*arguments: str) -> Any:
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
                run([*where, *arguments, "--json"])
            return json.loads(out.getvalue())

        documents = {"init": [ask("init")], "config show": [ask("config", "show")]}
        documents["load"] = [ask("load", kind, files[kind]) for kind in ("predictions", "actuals", "injuries")]
        predictions = ("stage", "write", files["predictions"], "--batch", "morning", "--worker", "w1")
        documents["stage write"] = [ask(*predictions)]
        documents["stage list"] = [ask("stage", "list")]
        documents["stage sweep"] = [ask("stage", "sweep", "--batch", "morning")]
        documents["stage consolidate"] = [ask("stage", "consolidate", "--batch", "morning")]
        documents["sources"] = [ask("sources")]
        documents["grade"] = [ask("grade", "--all")]
        ask("load", "actuals", correction)
        documents["grade"] += [ask("grade", "--all", "--dry-run"), ask("grade", "--all")]
        documents["grade --estimate"] = [
            estimate_document(CostEstimate(1, 10**9, price, cost)) for price, cost in ((6.25, 0.01), (None, None))
        ]
        documents["ready"] = [ask("ready", "2025-10-22"), ask("ready", "2020-01-01")]
        documents["schedule run --once"] = [ask("schedule", "run", "--once") for _ in range(2)]
        documents["status"] = [ask("status")]
        documents["runs"] = [ask("runs")]
        documents["revisions"] = [ask("revisions")]
        documents["report"] = [ask("report")]
        documents["report --calibration"] = [ask("report", "--calibration")]
        systems = [group["group"] for group in documents["report"][0]["groups"]]
        documents["report --compare"] = [ask("report", "--compare", *systems[:2])]
        revised = ask("sql", "SELECT partition, key_json ->> '$.player_lookup' AS player FROM grade_revisions")
        documents["explain"] = [ask("explain", row["player"], row["partition"]) for row in revised[:3]]
        with gradeonce.open(folder / "book") as book:
            book.announce([replace(SAMPLES[0], since_at=book.clock.now())])
            name = book.alerts()[0].alert_id
        documents["alerts list"] = [ask("alerts", "list")]
        documents["alerts show"] = [ask("alerts", "show", name)]
        sent = {"channel": "", "heading": "", "alert_ids": [], "status": "", "tries": 0, "error": ""}
        for command in ("alerts test", "alerts retry"):
            documents[command] = [{"schema_version": 1, "messages": [sent]}]
        dump = str(folder / "theirs.csv")
        Path(dump).write_text(ADOPTED, encoding="utf-8")
        documents["adopt"] = [ask("adopt", dump)]
        documents["migrate gcp"] = [json.loads(json.dumps(migration_document(_migration()), default=float))]
        documents["dedupe plan"] = [ask("dedupe", "plan")]
        plan = documents["dedupe plan"][0]["plan_id"]
        documents["dedupe apply"] = [ask("dedupe", "apply", plan)]
        documents["dedupe verify"] = [ask("dedupe", "verify", plan)]
        documents["dedupe backups"] = [ask("dedupe", "backups", "--drop-expired")]
        documents["dedupe rollback"] = [ask("dedupe", "rollback", plan)]
        documents["check"] = [ask("check", "--from", "2025-10-21", "--to", "2025-11-01")]
        documents["check --history"] = [ask("check", "--history")]
        documents["locks list"] = [ask("locks", "list", "--all")]
        documents["locks release"] = [{"schema_version": 1, "released": "", "token": 0, "holder": ""}]
        step = {"name": "", "state": "", "differences": [], "undo": ""}
        documents["gcp deploy"] = [{"schema_version": 1, "dry_run": False, "steps": [step]}]
        documents["gcp deploy --dry-run"] = [ask("gcp", "deploy", "--project", "my-project", "--dry-run")]
        documents["gcp rollback"] = [{"schema_version": 1, "applied": False, "serving": "", "to": "", "command": ""}]
        removal = {"name": "", "state": "", "reason": "", "command": ""}
        documents["gcp rollback --everything"] = [{"schema_version": 1, "applied": False, "removals": [removal]}]
        fact = {"name": "", "value": "", "fine": False, "hint": ""}
        documents["gcp status"] = [{"schema_version": 1, "whole": False, "steps": [step], "facts": [fact]}]
        found = {"name": "", "question": "", "why": "", "result": "", "seen": "", "hint": ""}
        documents["gcp verify"] = [{"schema_version": 1, "bytes_billed": 0, "checks": [found]}]
        documents["gcp costs"] = [ask("gcp", "costs")]
        documents["gcp source"] = [ask("gcp", "source", "--source", str(folder / "code"))]
        left = folder / "book" / "staging" / "left.parquet"
        left.touch()
        os.utime(left, (0, 0))
        documents["gc"] = [ask("gc")]
        documents["ledger verify"] = [ask("ledger", "verify")]
        documents["ledger head"] = [ask("ledger", "head")]
        documents["an error"] = [ask("grade", "someday")]
    return documents


def _migration() -> migrate.MigrationReport:
    """Return a report with one of everything: a move needs a server."""
    moved = migrate.MovedLines("2020-01-01", "theirs", "ann", "game1", "points", Decimal(20), Decimal(21), 2)
    found = AdoptReport("", rows=2, partitions=("2020-01-01",), duplicates={"2020-01-01": {2: 1}}, outcomes={"win": 2})
    sample = migrate.Sample("2020-01-01", "theirs", "ann", "game1", "points", {"outcome": "loss"}, {"outcome": "push"})
    return migrate.MigrationReport(
        status="plan",
        source="theirs",
        mapped=Mapped({"prop_line": "line_value"}, ("mood",), ("minutes_played",)),
        findings=migrate.Findings(
            found, undated=1, unread={"line_value": 1}, moved_picks=1, moved_rows=2, moved=(moved,)
        ),
        to_adopt=("2020-01-01",),
        comparison=migrate.Comparison(
            ("2020-01-01",), 1, 0, (migrate.Difference("push_counted", "...", 1, (sample,)),), {"2020-01-02": "..."}
        ),
        to_grade=("2020-01-01",),
    )


def _layout(name: str, documents: list[Any]) -> str:
    if name in SHOWN_AS_RECORD:
        return _as_record(SHOWN_AS_RECORD[name])
    known = {**COMMON}
    for record in RECORDS.get(name, ()):
        known = {**known, **attributes(record)}
    known |= OWN[name]
    kinds: dict[str, set[str]] = {}
    for document in documents:
        for path, kind in _paths(document, "", stop=name in ROWS_OF_TABLES):
            kinds.setdefault(path, set()).add(kind)
    kinds = {path: found for path, found in kinds.items() if not _is_open(path, kinds)}
    rows = [(f"`{path}`", _kind(found), _meaning(name, path, known)) for path, found in kinds.items()]
    return table(("key", "type", "meaning"), rows)


OPEN = (
    "excluded",
    "refused",
    "states",
    "tokens",
    "workers",
    "keys",
    "keys[]",
    "counts",
    "duplicates",
    "null_keys",
    "two_scales",
    "outcomes",
    "differing_columns",
    "columns",
    "unread",
    "held",
    "was",
    "now",
    "errors",
)
"""Objects whose keys are data."""


def _is_open(path: str, kinds: dict[str, set[str]]) -> bool:
    return any(f"{name}." in path for name in OPEN) or (path.startswith("total.") and f"groups[].{path[6:]}" in kinds)


def _paths(value: Any, path: str, *, stop: bool) -> Iterator[tuple[str, str]]:
    if path:
        yield path, _word(value)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}" if path else key, stop=stop)
    elif isinstance(value, list) and not stop:
        for inner in value:
            if isinstance(inner, dict):
                for found, kind in _paths(inner, f"{path}[]", stop=stop):
                    if found != f"{path}[]":
                        yield found, kind


def _word(value: Any) -> str:
    if value is None:
        return "null"
    return {bool: "boolean", str: "text", int: "number", float: "number", list: "list", dict: "object"}[type(value)]


def _kind(found: set[str]) -> str:
    return " or ".join(sorted(found - {"null"}) + (["null"] if "null" in found else []))


def _meaning(name: str, path: str, known: dict[str, str]) -> str:
    key = path.replace("[]", "").split(".")[-1]
    if key in known:
        return known[key]
    figure, _, part = key.rpartition("_")
    if figure in known and part in ("n", "low", "high"):
        return {"n": "Observations behind it.", "low": "Lower end of its interval.", "high": "Upper end of it."}[part]
    raise SystemExit(f"json_layouts.py: {name} prints {path}, whose meaning is not known")


def _as_record(record: type) -> str:
    parts = [
        "The fields of [`Explanation`](python-api.md#explanation), and of the records in it, by name; and `is_found`, "
        "whether there is anything to explain.",
    ]
    for one in (record, explanation.PickExplained, explanation.LineExplained, explanation.RevisionSeen):
        rows = [(f"`{key}`", meaning) for key, meaning in attributes(one).items()]
        parts += [f"{one.__name__}:", table(("key", "meaning"), rows)]
    return "\n\n".join(parts)
