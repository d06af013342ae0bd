"""Making typed rows of texts, and saying what is wrong with those that cannot be: SQL driven by contract.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from gradeonce.loading.contract import Field, fields_of
from gradeonce.schema import COMPOSITE_MARKETS, LOADED_TABLES, STATS
from gradeonce.statements import fill, quote_identifier, quote_literal, statements

WIDE = (*STATS, *COMPOSITE_MARKETS)
"""Columns of a wide box score: a market each."""

_DATE_FROM_ID = (
    r"CASE WHEN regexp_full_match(v_game_id, '\d{8}_.+') THEN try_strptime(left(v_game_id, 8), '%Y%m%d') END"
)


@dataclass(frozen=True)
class Check:
    """One thing that may be wrong with a row: SQL for where, what was read, when, and what was expected."""

    column: str
    text: str
    broken: str
    reason: str


@dataclass(frozen=True)
class Options:
    """How bare texts are to be read.

    Attributes:
        timezone: Zone of instants that carry no offset; None: those are errors.
        league_timezone: Where the league's dates are counted.
        latest: The last date that is possible.
    """

    timezone: str | None
    league_timezone: str
    latest: date


class Contract:
    """The SQL that checks one kind of file, for the columns that the files at hand give."""

    def __init__(self, kind: str, given: Collection[str], options: Options) -> None:
        self.kind = kind
        self.given = frozenset(given)
        self.options = options
        self.fields = fields_of(kind)
        self.is_wide = kind == "actuals" and not {"market", "actual_value"} & self.given
        self._texts = statements("gradeonce.loading", "contract.sql")

    @property
    def stored(self) -> list[str]:
        """Columns that land, in the table's order, but for the stamps."""
        return [c.name for c in LOADED_TABLES[self.kind].columns if c.name in self.fields]

    @property
    def kept(self) -> list[str]:
        """Columns of the typed relation: those that land and, of a wide box score, the statistics."""
        return [*self.stored, *(WIDE if self.is_wide else ())]

    def texts_sql(self, columns: Collection[str]) -> str:
        """Return the select list that makes a text of every field; null for what these files do not give."""
        by_name = {column.lower(): column for column in columns}
        parts = []
        for name, field in self.fields.items():
            text = "CAST(NULL AS VARCHAR)"
            if name in by_name:
                text = f"nullif(trim(CAST({quote_identifier(by_name[name])} AS VARCHAR)), '')"
            parts.append(f"{f'upper({text})' if field.upper else text} AS t_{name}")
        if "market" not in self.fields:
            parts.append("CAST(NULL AS VARCHAR) AS t_market")
        return ", ".join(parts)

    def parsed_sql(self) -> str:
        """Return the select list that reads each text."""
        parts = []
        for name, field in self.fields.items():
            slots = {"value": f"t_{name}"}
            if field.parse == "instant":
                slots["zone"] = quote_literal(self.options.timezone) if self.options.timezone else "NULL"
            parts.append(f"{fill(self._texts[f'parse_{field.parse}'], **slots)} AS v_{name}")
        return ", ".join(parts)

    def made_sql(self) -> str:
        """Return the select list of the columns that land: values read, values made of others, defaults."""
        return ", ".join(f"{self._made(name)} AS {name}" for name in self.kept)

    def checks(self) -> list[Check]:
        """Return everything that may be wrong with a row, in the order of the columns."""
        found = []
        for name, field in self.fields.items():
            found += self._checks_of(name, field)
        return found + self._checks_of_made()

    def broken_sql(self) -> str:
        """Return the condition that is true for a bad row."""
        return " OR ".join(f"coalesce({check.broken}, false)" for check in self.checks())

    def problems_sql(self) -> str:
        """Return a list of the problems of a row, nulls for those it does not have."""
        return ", ".join(
            f"CASE WHEN {check.broken} THEN {_problem(quote_literal(check.column), check.text, check.reason)} END"
            for check in self.checks()
        )

    def refusal_sql(self) -> str:
        """Return the one problem of a row that was set aside on purpose."""
        return _problem("NULL", "NULL", "_refused", refused=True)

    def stats_sql(self) -> str:
        """Return the list of markets of a wide row, each with its value; composites are sums of known parts."""
        return ", ".join(
            f"{{'market': {quote_literal(market)}, 'place': {place}, 'actual_value': {market}}}"
            for place, market in enumerate(self.markets(), start=1)
        )

    def markets(self) -> list[str]:
        """Return the markets that the given wide columns amount to."""
        sums = [
            name
            for name, parts in COMPOSITE_MARKETS.items()
            if name in self.given or all(part in self.given for part in parts)
        ]
        return [name for name in STATS if name in self.given] + sums

    def _made(self, name: str) -> str:
        field = self.fields[name]
        if name == "player_lookup":
            return "coalesce(v_player_lookup, name_lookup)"
        if name == "player_name":
            return "name_shown"
        if name == "market":
            return f"coalesce(market_named, {field.default})" if field.default else "market_named"
        if name == "game_date":
            zone = quote_literal(self.options.league_timezone)
            of_tipoff = f"CAST(timezone({zone}, timezone('UTC', v_tipoff_at)) AS DATE)"
            return f"coalesce(v_game_date, {of_tipoff}, CAST({_DATE_FROM_ID} AS DATE))"
        if name == "prediction_id":
            key = ("v_player_lookup", "name_lookup", "v_game_id", "v_system_id", "market_named", "v_line_value")
            parts = ", ".join(f"coalesce(CAST({part} AS VARCHAR), '')" for part in (*key, "v_created_at"))
            return f"coalesce(v_prediction_id, md5(concat_ws('|', {parts})))"
        if name in COMPOSITE_MARKETS:
            total = " + ".join(f"v_{part}" for part in COMPOSITE_MARKETS[name])
            return f"coalesce(v_{name}, CAST({total} AS DECIMAL(18, 9)))"
        return f"coalesce(v_{name}, {field.default})" if field.default else f"v_{name}"

    def _checks_of(self, name: str, field: Field) -> list[Check]:
        text, typed, found = f"t_{name}", f"v_{name}", []
        if name in self.given:
            if field.parse != "text":
                unread = f"{text} IS NOT NULL AND {typed} IS NULL"
                # What is read as a whole number and has a rule is odds: the rule says more of what was expected.
                expected = (
                    f"possible_{field.rule}" if field.parse == "integer" and field.rule else f"expected_{field.parse}"
                )
                found.append(Check(name, text, unread, self._fill(expected, text, typed)))
            else:
                # A NUL can be kept in a file and not in PostgreSQL; it comes of UTF-16 and of broken exports.
                shown = f"replace({text}, chr(0), '␀')"
                found.append(Check(name, shown, f"contains({text}, chr(0))", "'holds a NUL character'"))
            if field.rule:
                broken = f"({self._fill(f'broken_{field.rule}', text, typed)})"
                found.append(Check(name, text, broken, self._fill(f"possible_{field.rule}", text, typed)))
        if field.required or (name == "market" and self.kind == "actuals" and not self.is_wide):
            found.append(Check(name, text, f"{text} IS NULL", "'where a value is required'"))
        return found

    def _checks_of_made(self) -> list[Check]:
        no_date = "t_game_date IS NULL AND t_tipoff_at IS NULL"
        impossible = self._fill("broken_date", "", f"CAST({_DATE_FROM_ID} AS DATE)")
        return [
            Check(
                "player_lookup",
                "t_player_lookup",
                "t_player_lookup IS NULL AND t_player_name IS NULL",
                "'where a player is required; give player_lookup or player_name'",
            ),
            Check(
                "player_name",
                "t_player_name",
                "t_player_lookup IS NULL AND t_player_name IS NOT NULL AND name_lookup IS NULL",
                "'holds no letter from a to z'",
            ),
            Check(
                "game_date",
                "t_game_date",
                f"{no_date} AND t_game_id IS NULL",
                "'where a date is required; give game_date or tipoff_at'",
            ),
            Check(
                "game_id",
                "t_game_id",
                f"{no_date} AND t_game_id IS NOT NULL AND {_DATE_FROM_ID} IS NULL",
                "'holds no date; give game_date, tipoff_at, or an id like 20260117_LAL_BOS'",
            ),
            Check("game_id", "t_game_id", f"{no_date} AND {impossible}", self._fill("possible_date", "", "")),
        ]

    def _fill(self, name: str, text: str, typed: str) -> str:
        slots = {"value": text, "typed": typed, "latest": quote_literal(self.options.latest.isoformat())}
        body = self._texts[name]
        return fill(body, **{slot: value for slot, value in slots.items() if f"{{{slot}}}" in body})


def _problem(column: str, text: str, reason: str, *, refused: bool = False) -> str:
    shown = f"CASE WHEN {column} IS NOT NULL THEN coalesce('''' || left({text}, 80) || '''', 'empty') END"
    return (
        f"{{'column_name': {column}, 'value_text': left({text}, 80), 'value_shown': {shown}, "
        f"'reason': {reason}, 'refused': {str(refused).lower()}}}"
    )
