"""reference/sources.md: every import preset, the columns by which it is known, and what it makes of quirks."""

from __future__ import annotations

from gradeonce.sources import Variant, sources

INTRO = """# Sources

A source is a named preset that maps a file of a known shape onto our columns: `gradeonce load KIND FILE --source NAME`.
It is one commented SQL SELECT; `gradeonce sources NAME` prints it, and it is a good start for a mapping of your own
([how to load your data](../howto/load-your-data.md)).

A source may know several layouts of the same data; the first whose needed columns are all in the file is taken.
Column names are compared without regard to case. CSV, TSV, Parquet, JSON and JSON lines are read, text also gzipped.
"""


def page() -> str:
    parts = [INTRO]
    for source in sources():
        parts += [f"## {source.name}", f"{source.description} Loads {', '.join(source.kinds)}."]
        for variant in source.variants:
            parts += _variant(variant, named=len(source.variants) > 1)
    return "\n\n".join(parts)


def _variant(variant: Variant, *, named: bool) -> list[str]:
    parts = [f"### {variant.name}"] if named else []
    if variant.notes:
        parts.append(variant.notes)
    facts = []
    if variant.needs:
        facts.append(f"- needs the columns {_names(variant.needs)}")
    if variant.optional:
        facts.append(f"- uses, when they are there, {_names(variant.optional)}")
    for slot, columns in variant.references.items():
        facts.append(f"- needs a further file: `--with {slot}=FILE`, with the columns {_names(columns)}")
    if facts:
        parts.append("\n".join(facts))
    return parts


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
