"""What each column of each kind of file must hold: the table that validation is driven by."""

from __future__ import annotations

from dataclasses import dataclass

from gradeonce.schema import COMPOSITE_MARKETS, LOADED_TABLES, STATS, ColumnType

KINDS = tuple(LOADED_TABLES)
"""predictions, actuals, injuries, lines."""

STAMPS = ("load_id", "load_row", "loaded_at")
"""Columns that no file may give."""

_RULES = {
    "minutes_played": "minutes",
    "line_value": "line",
    "estimated_line_value": "line",
    "predicted_value": "quantity",
    "actual_value": "quantity",
    "confidence_score": "confidence",
    "over_price": "price",
    "under_price": "price",
    "recommendation": "recommendation",
}
_UPPER = {"recommendation", "status", "team_abbr", "opponent_team_abbr"}
_DEFAULTS = {
    "predictions": {"is_active": "true", "line_source": "'ACTUAL_PROP'", "market": "'points'"},
    "actuals": {"is_final": "true"},
}
_MADE = {
    "predictions": {"prediction_id", "player_lookup", "game_date"},
    "actuals": {"player_lookup", "game_date", "market"},
    "injuries": {"player_lookup", "game_date"},
    "lines": {"player_lookup", "game_date"},
}


@dataclass(frozen=True)
class Field:
    """One column that a file may give.

    Attributes:
        name: Canonical name.
        parse: Which reading of contract.sql makes a value of its text.
        rule: Which rule of contract.sql a value may break; empty for none.
        upper: Whether the text is put in capitals before anything else.
        default: SQL literal for a missing or empty value; empty for none.
        required: Whether a row without it is bad.
        stored: Whether it is a column of the table, and not only a help to make others.
    """

    name: str
    parse: str
    rule: str = ""
    upper: bool = False
    default: str = ""
    required: bool = False
    stored: bool = True


def fields_of(kind: str) -> dict[str, Field]:
    """Return what a file of this kind may give, by column name."""
    table, defaults, made = LOADED_TABLES[kind], _DEFAULTS.get(kind, {}), _MADE[kind]
    fields = {}
    for column in table.columns:
        name = column.name
        if name in STAMPS:
            continue
        parse = "minutes" if name == "minutes_played" else column.type.value
        fields[name] = Field(
            name,
            parse,
            rule=_RULES.get(name, parse if column.type in (ColumnType.DATE, ColumnType.INSTANT) else ""),
            upper=name in _UPPER,
            default=defaults.get(name, ""),
            required=column.required and name not in made and name not in defaults,
        )
    if "tipoff_at" not in fields:
        fields["tipoff_at"] = Field("tipoff_at", "instant", "instant", stored=False)
    if kind == "actuals":
        for name in (*STATS, *COMPOSITE_MARKETS):
            fields[name] = Field(name, "decimal", "quantity", stored=False)
    return fields
