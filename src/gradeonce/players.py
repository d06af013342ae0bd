"""Player names: the rule that brings spellings of one player together, and the aliases no rule can.

`player_lookup` is the name without accents, lower-case, letters only, without suffixes (jr, sr, ii, iii, iv, v), with
"Last, First" put in order and broken accents ("DonÄ\\x8diÄ\\x87") repaired. The rule exists twice, as one SQL
expression for whole columns and as one function for a single name; a property test holds them together.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from gradeonce.errors import BadRow, InputError
from gradeonce.statements import fill, quote_literal, statements

SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "v"})
"""Words that are dropped from a name, except as its first word."""

# Letters that carry no accent to strip; a letter that stands for two comes second, what is silent last.
_LETTERS = {
    "ø": "o",
    "Ø": "o",
    "đ": "d",
    "Đ": "d",
    "ð": "d",
    "Ð": "d",
    "ł": "l",
    "Ł": "l",
    "ı": "i",
    "ħ": "h",
    "Ħ": "h",
    "ŧ": "t",
    "Ŧ": "t",
    "ŋ": "n",
    "Ŋ": "n",
    "ə": "e",
    "Ə": "e",
}
# Cyrillic letters that look Latin (a scrape of 2025-26 writes Egor Dëmin with one); they count in Latin names only.
_LETTERS |= dict(
    zip(
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405",
        "aeopcyxijs" + "abekmhopctyxijs",
        strict=True,
    )
)
_DIGRAPHS = {
    "ß": "ss",
    "ẞ": "ss",
    "æ": "ae",
    "Æ": "ae",
    "œ": "oe",
    "Œ": "oe",
    "þ": "th",
    "Þ": "th",
    "ﬁ": "fi",
    "ﬂ": "fl",
}
_SILENT = ".'’‘ʼ`´"
_FOLD = str.maketrans({**_LETTERS, **_DIGRAPHS, **dict.fromkeys(_SILENT, "")})

# What Windows-1252 shows for the bytes 80 to 9F; the five bytes it leaves open stay the control characters they are.
_WINDOWS = {
    bytes([byte]).decode("cp1252"): byte for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_TO_BYTES = str.maketrans({letter: chr(byte) for letter, byte in _WINDOWS.items()})
_BROKEN = re.compile("[\u00c2-\u00f4][\u0080-\u00bf]")
_LAST_FIRST = re.compile("^([^,]*[a-z][^,]*),([^,]*[a-z][^,]*)$")
_TRAILING_SUFFIX = re.compile(", *(jr|sr|ii|iii|iv|v) *$")


def name_to_lookup(name: str) -> str | None:
    """Return the lookup of one name by the rule alone, without aliases; None when it holds no letter a-z."""
    decomposed = unicodedata.normalize("NFD", _repaired(_repaired(name)))
    bare = "".join(c for c in decomposed if not unicodedata.category(c).startswith("M"))
    if not re.search("[A-Za-z]", bare):
        return None
    folded = re.sub("[^a-z,]+", " ", bare.translate(_FOLD).lower())
    ordered = _LAST_FIRST.sub(r"\2 \1", _TRAILING_SUFFIX.sub(r" \1", folded))
    words = re.findall("[a-z]+", ordered)
    return "".join(words[:1] + [word for word in words[1:] if word not in SUFFIXES]) or None


def player_lookup(name: str, aliases: Mapping[str, str] | None = None) -> str | None:
    """Return the lookup of one name: the rule, then the aliases.

    Args:
        name: A name in any spelling, or a lookup.
        aliases: Lookup to lookup, as `player_aliases` returns them; None takes the built-in ones.
    """
    lookup = name_to_lookup(name)
    known = player_aliases() if aliases is None else aliases
    return known.get(lookup, lookup) if lookup else None


def lookup_sql(name: str, *, repair: bool = True) -> str:
    """Return the rule as an SQL expression over a text expression; null where it holds no letter a-z.

    Args:
        name: The text expression.
        repair: Whether broken accents are still to be repaired.
    """
    folded = "strip_accents(repaired)"
    for digraph, letters in _DIGRAPHS.items():
        folded = f"replace({folded}, {quote_literal(digraph)}, {quote_literal(letters)})"
    letters_from, letters_to = "".join(_LETTERS) + _SILENT, "".join(_LETTERS.values())
    folded = f"translate({folded}, {quote_literal(letters_from)}, {quote_literal(letters_to)})"
    folded = f"regexp_replace(lower({folded}), '[^a-z,]+', ' ', 'g')"
    folded = f"CASE WHEN regexp_matches(strip_accents(repaired), '[A-Za-z]') THEN {folded} END"
    return fill(_sql()["lookup"], repaired=repaired_sql(name) if repair else name, folded=folded)


def repaired_sql(name: str) -> str:
    """Return an SQL expression that undoes broken accents in a text expression and leaves other text as it is."""
    return fill(_sql()["repaired"], name=name, repair=_repair_sql())


def nearest_sql(unmatched: str, known: str, *, limit: int = 3) -> str:
    """Return a SELECT of `player_lookup` and `nearest` (a list of lookups, best first).

    Args:
        unmatched: Relation with a column `player_lookup`: those that were not found.
        known: Relation with a column `player_lookup`: those that could have been meant.
        limit: How many to name for each.
    """
    return fill(_sql()["nearest"], unmatched=unmatched, known=known, limit=str(limit))


def nearest_in_partitions_sql(unmatched: str, known: str) -> str:
    """Return a SELECT of `partition`, `player_lookup` and `nearest` (a list of up to three lookups, best first).

    Args:
        unmatched: Relation with the columns `partition` and `player_lookup`: those that were not found.
        known: The same of those that could have been meant, in the same partition.
    """
    return fill(_sql()["nearest_in_groups"], unmatched=unmatched, known=known)


def nearest_in_partitions(
    unmatched: Sequence[tuple[str, ...]], known: Sequence[tuple[str, ...]]
) -> list[tuple[str, str, list[str]]]:
    """Return the rows of `nearest_in_partitions_sql` for (partition, lookup) pairs, judged by the local engine.

    For warehouses that cannot tell how alike two names are.
    """
    from gradeonce.warehouses.engine import open_engine, run

    relation = "(SELECT unnest(${0}_partitions) AS partition, unnest(${0}_lookups) AS player_lookup)"
    params = {
        f"{name}_{column}": [row[place] for row in rows]
        for name, rows in (("unmatched", unmatched), ("known", known))
        for place, column in enumerate(("partitions", "lookups"))
    }
    if not unmatched or not known:
        return []
    with open_engine(threads=1) as engine:
        sql = nearest_in_partitions_sql(relation.format("unmatched"), relation.format("known"))
        return run(engine, sql, params).fetchall()


def most_alike(lookup: str, known: Sequence[str], *, limit: int) -> list[tuple[str, float]]:
    """Return the known lookups that read most like one, with their similarity (Jaro-Winkler, 0.8 to 1), best first."""
    from gradeonce.warehouses.engine import open_engine, run

    with open_engine(threads=1) as engine:
        params = {"lookup": lookup, "known": list(known), "limit": limit}
        return [(near, score) for near, score in run(engine, _sql()["most_alike"], params).fetchall()]


def player_aliases(path: Path | None = None) -> dict[str, str]:
    """Return the aliases as lookup to lookup: the built-in ones, and over them those of a user's CSV.

    Args:
        path: CSV with the columns `alias` and `player`, each a name or a lookup.

    Raises:
        InputError: If the file cannot be read, lacks a column, or a row names nobody; it names file and row.
    """
    return _resolved(dict(_built_in_aliases()) | (_read_aliases(path) if path else {}))


@cache
def _built_in_aliases() -> tuple[tuple[str, str], ...]:
    pairs = re.findall(r"\('(.+)', '(.+)'\)", _sql()["aliases"])
    return tuple((name_to_lookup(alias) or "", name_to_lookup(player) or "") for alias, player in pairs)


def _read_aliases(path: Path) -> dict[str, str]:
    hint = "The file of [players] player_aliases is a CSV with the columns alias,player."
    aliases: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := {"alias", "player"} - set(reader.fieldnames or ()):
                raise InputError(f"{path}: the column {' and '.join(sorted(missing))} is missing.", hint=hint)
            for number, row in enumerate(reader, start=1):
                alias, player = (name_to_lookup(row[column] or "") for column in ("alias", "player"))
                if not alias or not player:
                    bad = BadRow(str(path), number, "player" if alias else "alias", None, "names nobody")
                    raise InputError(f"{bad}.", rows=[bad], bad_rows=1, hint=hint)
                aliases[alias] = player
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).", hint=hint) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8.", hint=hint) from error
    return aliases


def _resolved(aliases: Mapping[str, str]) -> dict[str, str]:
    """Follow aliases of aliases to their end; a circle ends where it would start again."""
    resolved = {}
    for alias, first in aliases.items():
        player, seen = first, {alias}
        while player in aliases and player not in seen:
            seen.add(player)
            player = aliases[player]
        if player != alias:
            resolved[alias] = player
    return resolved


def _repaired(text: str) -> str:
    shown = text.translate(_TO_BYTES)
    if not _BROKEN.search(shown):
        return text
    try:
        return shown.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _repair_sql() -> str:
    shown, meant = "".join(_WINDOWS), "".join(chr(byte) for byte in _WINDOWS.values())
    return fill(_sql()["repair"], bytes=f"translate(raw, {quote_literal(shown)}, {quote_literal(meant)})")


def _sql() -> dict[str, str]:
    return statements("gradeonce", "players.sql")
