"""Import presets: each a commented `.sql` file that maps a source's own columns onto ours.

A preset is one SELECT over `{rows}`, a relation with every column of the file as text plus `_file` (its name) and
`_row` (number of the data row). It returns our columns (docs: "Columns for load"), `_file`, `_row`, and where rows are
set aside on purpose `_refused`, the reason. Its header says

    -- kind: lines                            what it loads (one or more words of `load`)
    -- about: one sentence                    for the list that `gradeonce sources` prints
    -- needs: player, line                    the columns by which the layout is known
    -- optional: price                        columns that it uses when the file has them; else they are null
    -- reference: players (id, full_name)     a further file it needs, given with `--with players=FILE`

A source that comes in several layouts has one file for each: `odds_api.player_props.wide.sql` is a variant of
`odds_api.player_props`. The first (by name) whose columns are all in the file is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import resources

from gradeonce.errors import UsageError

_HEADER = re.compile(r"^-- (kind|about|needs|optional|reference): *(.+)$")
_REFERENCE = re.compile(r"(\w+) *\(([^)]*)\)")


@dataclass(frozen=True)
class Variant:
    """One layout of a source.

    Attributes:
        name: Its file's name without `.sql`.
        needs: Columns that must be in the file, in lower case.
        optional: Columns that are null where the file has none of that name, as the preset spells them.
        references: Further files it needs, by slot, each with its columns.
        notes: The rest of its header: what it makes of the source's quirks.
        sql: Its text.
    """

    name: str
    needs: tuple[str, ...]
    optional: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: str = ""
    sql: str = field(default="", repr=False)

    def missing(self, columns: Collection[str]) -> list[str]:
        """Return the columns that it needs and the file lacks."""
        return [column for column in self.needs if column not in columns]


@dataclass(frozen=True)
class Source:
    """A preset as users name it.

    Attributes:
        name: What `--source` takes.
        kinds: What it loads.
        description: One sentence.
        variants: Its layouts; one at least.
    """

    name: str
    kinds: tuple[str, ...]
    description: str
    variants: tuple[Variant, ...]

    def variant_for(self, columns: Collection[str]) -> Variant | None:
        """Return the layout that a file with these columns (in lower case) has; None when it has none."""
        return next((variant for variant in self.variants if not variant.missing(columns)), None)


@cache
def sources() -> tuple[Source, ...]:
    """Return every built-in source, by name."""
    files = [f for f in resources.files("gradeonce.sources").iterdir() if f.name.endswith(".sql")]
    grouped: dict[str, list[tuple[dict[str, str], Variant]]] = {}
    for file in sorted(files, key=lambda f: f.name):
        stem = file.name.removesuffix(".sql")
        header, variant = _parsed(stem, file.read_text(encoding="utf-8"))
        if "kind" in header:
            grouped.setdefault(".".join(stem.split(".")[:2]), []).append((header, variant))
    return tuple(
        Source(
            name,
            kinds=tuple(re.findall(r"\w+", parts[0][0]["kind"])),
            description=next(header["about"] for header, _ in parts if "about" in header),
            variants=tuple(variant for _, variant in parts),
        )
        for name, parts in sorted(grouped.items())
    )


def find_source(name: str, kind: str) -> Source:
    """Return a source by its name.

    Raises:
        UsageError: If there is no such source, or it loads something else; it names what would fit.
    """
    known = {source.name: source for source in sources()}
    if name not in known:
        near = get_close_matches(name, known, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"There is no source {name!r}.", hint=f"{meant}`gradeonce sources` lists them.")
    source = known[name]
    if kind not in source.kinds:
        fit = ", ".join(s.name for s in sources() if kind in s.kinds)
        raise UsageError(
            f"The source {name} holds {' and '.join(source.kinds)}, not {kind}.", hint=f"Sources of {kind}: {fit}."
        )
    return source


def looks_like(columns: Collection[str]) -> list[Source]:
    """Return the sources, our own columns aside, one of whose layouts a file with these columns has."""
    return [s for s in sources() if s.variants[0].needs and s.variant_for(columns) is not None]


def _parsed(stem: str, text: str) -> tuple[dict[str, str], Variant]:
    header: dict[str, str] = {}
    notes: list[str] = []
    references: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        match = _HEADER.match(line)
        if match is None:
            notes.append(line.removeprefix("--").strip())
        elif match[1] == "reference" and (parts := _REFERENCE.match(match[2])):
            references[parts[1]] = _names(parts[2])
        else:
            header[match[1]] = match[2].strip()
    needs, optional = (_names(header.get(part, "")) for part in ("needs", "optional"))
    return header, Variant(stem, needs, optional, references, " ".join(notes).strip(), text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())
