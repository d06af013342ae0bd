"""A table definition that contradicts itself, or that could not be kept apart from others, is refused at once."""

from __future__ import annotations

import pytest

from gradeonce.errors import UsageError
from gradeonce.schema import ROW_TABLES, Column, ColumnType, Table

DAY, NOTE = Column("day", ColumnType.DATE, required=True), Column("note", ColumnType.TEXT)


@pytest.mark.parametrize("name", ["../rows", 'a"b', "", "two words", "1st", "ledger", "Leases", "grading_runs"])
def test_a_name_that_is_a_path_or_one_of_the_small_tables_is_refused(name: str) -> None:
    """The name becomes a folder and a view: neither may reach elsewhere."""
    with pytest.raises(UsageError, match="cannot name a table: letters, digits and _ are allowed"):
        Table(name, (DAY, NOTE), partition="day")


@pytest.mark.parametrize("name", ["alerts", "checks", "notes", "plans", "staging"])
def test_everyday_words_stay_free_for_tables_of_your_own(name: str) -> None:
    """A book that holds such a table could not be opened any more if a later version took the word."""
    assert Table(name, (DAY, NOTE), partition="day").name == name


def test_columns_must_be_there_and_differ() -> None:
    """Partition, key, stamps and indexed columns name columns of the table; two columns do not share a name."""
    with pytest.raises(UsageError, match="notes has no column month"):
        Table("notes", (DAY, NOTE), partition="month")
    with pytest.raises(UsageError, match="notes has no column by, who"):
        Table("notes", (DAY, NOTE), partition="day", key=("who",), stamps=("by",))
    with pytest.raises(UsageError, match="notes has two columns of the same name"):
        Table("notes", (DAY, NOTE, Column("Note", ColumnType.TEXT)), partition="day")


def test_the_partition_is_no_stamp() -> None:
    """A stamp may keep its old value, a partition may not."""
    with pytest.raises(UsageError, match="notes is partitioned by day, which therefore cannot be a stamp"):
        Table("notes", (DAY, NOTE), partition="day", stamps=("day",))


def test_our_own_tables_are_well_defined() -> None:
    """Each has its partition among the required columns, and content beside its stamps."""
    for table in ROW_TABLES:
        assert table.partition in table.required
        assert set(table.content) | set(table.stamps) == set(table.column_names)
