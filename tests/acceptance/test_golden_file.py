"""The golden table that we must agree with, row by row, through the real load-and-grade path."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance.command import Command
from acceptance.golden_file import golden_differences, load_golden, read_golden

FILE = "golden_grades.csv.gz"
SAMPLE = """\
player_lookup,game_id,game_date,system_id,predicted_points,line_value,recommendation,confidence_score,actual_points,\
minutes_played,is_dnp,absolute_error,signed_error,prediction_correct,within_3_points,is_voided,void_reason,confidence_decile
abell,0022600001,2026-01-17,alpha,25.0,22.5,OVER,70,27,30,False,2.0,-2.0,True,True,False,,8
bcole,0022600001,2026-01-17,alpha,25.0,22.0,OVER,0.5,22,30,False,3.0,3.0,,True,False,,6
cdoe,0022600001,2026-01-17,alpha,25.0,22.5,UNDER,,0,0,False,25.0,25.0,,False,True,dnp_unknown,
dfox,0022600001,2026-01-17,alpha,25.0,22.5,UNDER,,,,True,,,,,True,dnp_unknown,
"""


def test_golden_grades_agree_in_every_row(book: Command, real_data: Path) -> None:
    """3,000 rows, zero differences."""
    path = real_data / FILE
    if not path.is_file():
        pytest.skip(f"the golden table is not here: {path}")
    table = read_golden(path)

    load_golden(book, table)
    runs = book("grade", "--all", "--json").json()["runs"]
    found = golden_differences(book, table)

    assert not [run for run in runs if run["status"] == "failed"]
    if found:
        pytest.fail(f"{len(found)} differences, first of them:\n" + "\n".join(found[:30]), pytrace=False)


def test_golden_table_with_other_column_names_is_read(book: Command) -> None:
    """The aliases lead to our columns, and `is_dnp` False is unknown: 0 points in 0 minutes are void."""
    table = read_golden(book.write("golden.csv", SAMPLE))

    load_golden(book, table)
    book.inside("grade", "--all")

    assert golden_differences(book, table) == []


def test_golden_difference_is_found(book: Command) -> None:
    """A wrong error, a wrong reason and a grade that nobody has are three differences."""
    table = read_golden(book.write("golden.csv", SAMPLE))
    load_golden(book, table)
    book.inside("grade", "--all")
    wrong = SAMPLE.replace("False,3.0,3.0", "False,3.0,3.1").replace("dnp_unknown,\ndfox", "dnp_late_scratch,\nezz")

    found = golden_differences(book, read_golden(book.write("wrong.csv", wrong)))

    assert [line.split(") ")[-1] for line in found] == [
        "signed_error: ours '3', golden '3.1'",
        "void_reason: ours 'dnp_unknown', golden 'dnp_late_scratch'",
        found[2].split(") ")[-1],
    ]
    assert found[2].endswith("no grade")
