"""What staged rows must keep before anyone reads them: unique keys, nothing null, and the caller's own rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradeonce.errors import RefusedForSafety, ValidationFailed
from gradeonce.model import Copies, Fence, PartitionFacts
from gradeonce.schema import Table
from gradeonce.statements import quote_identifier
from gradeonce.warehouses.base import Stage

SAMPLE_KEYS = 5

_DOUBLED = "count(*) > 1"


@dataclass(frozen=True)
class Validation:
    """A rule every staged row must keep.

    Attributes:
        name: Its name in the error.
        broken: SQL condition over a staged row that is true when the row breaks the rule.
        meaning: What is wrong with such a row, for the message.
        groups: Columns, separated by a comma and a space: the condition is over groups of rows with these in common;
            empty: over a row.
    """

    name: str
    broken: str
    meaning: str
    groups: str = ""


def validate(
    stage: Stage,
    table: Table,
    partitions: Mapping[str, Fence],
    facts: Mapping[str, PartitionFacts],
    validations: Sequence[Validation],
    *,
    relation: str = "staged",
    copies: Copies = Copies.NONE,
) -> None:
    """Check the staged rows, before anyone can read them.

    Raises:
        ValidationFailed: With one line per broken rule, each with a count and sample keys.
    """
    failures = []
    foreign = sorted(set(facts) - set(partitions))
    if foreign:
        failures.append(f"foreign_partition: rows of {', '.join(foreign[:SAMPLE_KEYS])}, which nobody asked to publish")
    rules = [*_built_in(table, copies), *validations]
    counted = _broken(stage, rules, relation)
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    for rule, broken in counted:
        if broken:
            scope = f"GROUP BY {rule.groups} HAVING {rule.broken}" if rule.groups else f"WHERE {rule.broken}"
            shown = ", ".join(f"coalesce(CAST({c} AS VARCHAR), 'NULL')" for c in (rule.groups or key).split(", "))
            sample = f"SELECT concat_ws(', ', {shown}) AS shown FROM {relation} {scope} ORDER BY 1 LIMIT {SAMPLE_KEYS}"
            keys = "; ".join(f"({row[0]})" for row in stage.query(sample).rows)
            failures.append(f"{rule.name}: {broken} {rule.meaning}, e.g. {keys}")
    if failures:
        raise ValidationFailed(
            f"The rows staged for {table.name} break {len(failures)} rule(s): {'; '.join(failures)}.", failures=failures
        )


def refuse_standing_copies(stage: Stage, table: Table) -> None:
    """Look that no key stands several times in what a publish replaces: pairing rows by key would multiply them.

    Raises:
        RefusedForSafety: If one does.
    """
    part = quote_identifier(table.partition)
    key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
    counted = stage.query(
        f"SELECT CAST({part} AS VARCHAR), count(*) FROM "
        f"(SELECT {part} FROM old GROUP BY {key} HAVING count(*) > 1) AS copies "
        f"GROUP BY {part} ORDER BY {part} LIMIT 1"
    ).rows
    for partition, keys in counted:
        raise RefusedForSafety(
            f"{keys} key(s) of {table.name} {partition} stand more than once, so it cannot be told what would change.",
            hint="Look at them with `gradeonce dedupe plan`, then remove the copies with `gradeonce dedupe apply`.",
        )


def _broken(stage: Stage, rules: Sequence[Validation], relation: str) -> list[tuple[Validation, int]]:
    """Return how many rows, or groups, break each rule; what follows from others is asked only if one is broken."""
    asked = [rule for rule in rules if not any(_implies(other, rule) for other in rules)]
    found = _counted(stage, asked, relation)
    return _counted(stage, rules, relation) if len(asked) < len(rules) and any(n for _, n in found) else found


def _implies(rule: Validation, other: Validation) -> bool:
    """Say whether nothing breaks the other rule while nothing breaks this: unique over fewer columns is over more."""
    fewer, more = (set(one.groups.replace('"', "").split(", ")) for one in (rule, other))
    return rule.broken == other.broken == _DOUBLED and bool(rule.groups) and fewer < more


def _counted(stage: Stage, rules: Sequence[Validation], relation: str) -> list[tuple[Validation, int]]:
    """Count in one query, in which all rules over rows are one scan."""
    over_rows = [rule for rule in rules if not rule.groups]
    over_groups = [rule for rule in rules if rule.groups]
    if not rules:
        return []
    counts = ", ".join(f"count(*) FILTER (WHERE {rule.broken})" for rule in over_rows)
    parts = [f"(SELECT {counts} FROM {relation}) AS over_rows"] if counts else []
    for number, rule in enumerate(over_groups):
        groups = f"SELECT 1 FROM {relation} GROUP BY {rule.groups} HAVING {rule.broken}"
        parts.append(f"(SELECT count(*) FROM ({groups}) AS broken) AS over_groups_{number}")
    found = stage.query(f"SELECT * FROM {', '.join(parts)}").rows[0]
    return list(zip([*over_rows, *over_groups], found, strict=True))


def _built_in(table: Table, copies: Copies) -> list[Validation]:
    rules = []
    if table.key and copies in (Copies.NONE, Copies.REMOVED):
        key = ", ".join(quote_identifier(name) for name in (table.partition, *table.key))
        rules.append(Validation("key_unique", _DOUBLED, "business keys stand more than once", groups=key))
    required = table.required if copies is Copies.NONE else (table.partition,)
    nulls = " OR ".join(f"{quote_identifier(name)} IS NULL" for name in required)
    if nulls:
        rules.append(Validation("required", nulls, f"rows lack one of {', '.join(required)}"))
    return rules
