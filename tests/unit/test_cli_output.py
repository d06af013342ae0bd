"""Tables on stdout."""

from gradeonce.cli.output import emit_table


def test_piped_table_is_as_wide_as_it_needs(capsys) -> None:
    """One very wide cell must not push its neighbours out of the table."""
    wide = "x" * 1500

    emit_table(["number", "details", "kind"], [(1, wide, "load"), (22, "short", "grade")], right=["number"])

    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["number", "details", "kind"]
    assert first.split() == ["1", wide, "load"]
    assert second.split() == ["22", "short", "grade"]


def test_piped_table_without_rows_shows_its_head(capsys) -> None:
    """An answer without rows still says which columns were asked for."""
    emit_table(["system", "n"], [])

    assert capsys.readouterr().out == "system  n\n"
