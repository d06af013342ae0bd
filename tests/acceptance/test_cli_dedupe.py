"""`adopt` and `dedupe`: what a person and a script see, and the exit codes."""

from __future__ import annotations

from acceptance.command import Command

THEIRS = """game_date,system_id,player_lookup,game_id,line_value,predicted_value,outcome,graded_at
2026-01-16,alpha,anaberg,game1,22.5,25,win,2026-01-17T11:00:02Z
2026-01-16,alpha,anaberg,game1,22.5,25,win,2026-01-17T11:04:40Z
2026-01-16,beta,anaberg,game1,22.5,20,loss,2026-01-17T11:00:02Z
"""


def test_from_a_dump_to_clean_grades_and_back(book: Command) -> None:
    """Each step by the command: dry runs change nothing, JSON says what was done, exit codes say how it went."""
    dump = book.write("theirs.csv", THEIRS)
    assert book.inside("adopt", dump, "--dry-run", "--json").json()["status"] == "dry_run"
    assert book.query("SELECT count(*) AS n FROM prediction_accuracy") == [{"n": 0}]
    adopted = book.inside("adopt", dump, "--json").json()
    assert (adopted["rows"], adopted["duplicates"]) == (3, {"2026-01-16": {"2": 1}})
    assert "Unverified: 1 of the dates (2026-01-16) were adopted" in book.inside("report").out

    assert "nothing was changed; do it with: gradeonce dedupe apply" in book.inside("dedupe").err
    plan = book.inside("dedupe", "plan", "--json").json()
    assert (plan["rows_deleted"], plan["keys"]) == (1, {"2": 1})
    done = book.inside("dedupe", "apply", plan["plan_id"], "--json").json()
    assert (done["status"], done["rows_deleted"], done["table_rows"]) == ("applied", 1, 2)
    assert "is applied already" in book.inside("dedupe", "apply", plan["plan_id"]).out
    assert book.inside("dedupe", "verify", plan["plan_id"]).out.count("ok") == 3
    assert "yes" in book.inside("dedupe", "backups").out

    preview = book.inside("dedupe", "rollback", plan["plan_id"])
    assert "1 rows would come back" in preview.out
    assert "dry run: nothing was changed" in preview.err
    assert book.query("SELECT count(*) AS n FROM prediction_accuracy") == [{"n": 2}]
    back = book.inside("dedupe", "rollback", plan["plan_id"], "--apply", "--json").json()
    assert (back["dry_run"], back["rows_restored"], back["table_rows"]) == (False, 1, 3)
    assert "was rolled back already" in book.inside("dedupe", "rollback", plan["plan_id"], code=6).err


def test_exit_codes_tell_what_is_wrong(book: Command) -> None:
    """64 wrong usage, 6 refused for safety, 1 a plan that was never applied or a file that holds no grades."""
    dump = book.write("theirs.csv", THEIRS)
    book.inside("adopt", dump)
    first, second = (book.inside("dedupe", "plan", "--json").json()["plan_id"] for _ in range(2))
    assert "There is no plan" in book.inside("dedupe", "apply", "nonsense", code=64).err
    assert "never applied" in book.inside("dedupe", "verify", first, code=1).out
    book.inside("dedupe", "apply", first)
    refused = book.inside("dedupe", "apply", second, code=6).err
    assert "no longer fits" in refused
    assert "gradeonce dedupe plan" in refused
    assert "no key stands more than once" in book.inside("dedupe", "plan").out
    assert "belongs to --drop-expired" in book.inside("dedupe", "backups", "--apply", code=64).err
    other = book.write("other.csv", THEIRS.replace("anaberg", "coledahl"))
    assert "stand adopted grades of another dump" in book.inside("adopt", other, code=6).err
    empty = book.write("empty.csv", "player_lookup\nann\n")
    assert "These are no grades" in book.inside("adopt", empty, code=1).err
