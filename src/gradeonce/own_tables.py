"""The user's own names for our tables and their columns, as the settings file says them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradeonce.errors import ConfigError
from gradeonce.schema import ROW_TABLES, SMALL_STATE, SMALL_TABLES, VIEWS


def named_tables(content: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return [tables] as it was written: the name of the user's table by ours. Any: what TOML holds, checked here.

    Raises:
        ConfigError: If a name is no table's, cannot name one, or names another already.
    """
    known = [table.name for table in ROW_TABLES]
    for name, physical in content.items():
        if name not in known:
            raise ConfigError(f"{where}: [tables] {name} is not a table; expected one of {', '.join(known)}.")
        if not isinstance(physical, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", physical):
            raise ConfigError(f"{where}: [tables] {name} is {physical!r}; expected a table name.")
        taken = [
            *SMALL_STATE,
            *VIEWS,
            *(table.name for table in SMALL_TABLES),
            *(other for other in known if other != name),
        ]
        taken += [other for key, other in content.items() if key != name]
        if physical.lower() in [str(other).lower() for other in taken]:
            raise ConfigError(f"{where}: [tables] {name} is {physical!r}, which names another table already.")
    return dict(content)


def named_columns(content: Mapping[str, Any], tables: Mapping[str, Any], where: str) -> dict[str, dict[str, str]]:
    """Return [columns] as it was written: the user's name by ours, by table. Any: what TOML holds, checked here.

    Raises:
        ConfigError: If a table has no name in [tables], or a name is no column's or that of two.
    """
    known = {table.name: table for table in ROW_TABLES}
    for name, columns in content.items():
        if name not in known or not isinstance(columns, dict):
            raise ConfigError(f"{where}: [columns.{name}] is not a table; expected one of {', '.join(known)}.")
        if name not in tables:
            raise ConfigError(f"{where}: [columns.{name}] needs the name of your table, in [tables].")
        ours = known[name].column_names
        for column, theirs in columns.items():
            if column not in ours:
                raise ConfigError(
                    f"{where}: [columns.{name}] {column} is not a column of ours; expected one of {', '.join(ours)}."
                )
            if not isinstance(theirs, str) or not theirs:
                raise ConfigError(f"{where}: [columns.{name}] {column} is {theirs!r}; expected a column name.")
        named = [columns.get(column, column) for column in ours]
        twice = sorted({theirs for theirs in columns.values() if named.count(theirs) > 1})
        if twice:
            raise ConfigError(f"{where}: [columns.{name}] names {', '.join(twice)} for two columns of ours.")
    return {name: dict(columns) for name, columns in content.items()}
