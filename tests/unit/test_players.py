"""Names: one rule, the same in SQL and in Python, and the aliases it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradeonce.errors import InputError
from gradeonce.players import lookup_sql, name_to_lookup, nearest_sql, player_aliases, player_lookup


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect(":memory:")
    yield connection
    connection.close()


def in_sql(engine: duckdb.DuckDBPyConnection, names: list[str]) -> list[str | None]:
    sql = f"SELECT {lookup_sql('n')} FROM (SELECT unnest($names::VARCHAR[]) AS n)"
    return [row[0] for row in engine.execute(sql, {"names": names}).fetchall()]


def broken(name: str, codec: str, times: int = 1) -> str:
    for _ in range(times):
        name = name.encode("utf-8").decode(codec)
    return name


SPELLINGS = [
    ("LeBron James", "lebronjames"),
    ("Luka Dončić", "lukadoncic"),
    ("Nikola Đurišić", "nikoladurisic"),
    ("Ömer Aşık", "omerasik"),
    ("Jonas Valančiūnas", "jonasvalanciunas"),
    ("D'Angelo Russell", "dangelorussell"),
    ("De’Aaron Fox", "deaaronfox"),
    ("Shai Gilgeous-Alexander", "shaigilgeousalexander"),
    ("P.J. Washington Jr.", "pjwashington"),
    ("Robert Williams III", "robertwilliams"),
    ("Jimmy Butler  III ", "jimmybutler"),
    ("Gary Trent, Jr.", "garytrent"),
    ("Porter Jr., Michael", "michaelporter"),
    ("Murphy III, Trey", "treymurphy"),
    ("Dončić, Luka", "lukadoncic"),
    ("Porter, Michael, Jr.", "michaelporter"),
    ("V. J. Edgecombe", "vjedgecombe"),
    ("nicclaxton", "nicclaxton"),
    ("", None),
    ("Никола", None),
    ("Egor D\u0451min", "egordemin"),
    (broken("Luka Dončić", "latin-1"), "lukadoncic"),
    ("Alperen ÅžengÃ¼n", "alperensengun"),
    (broken("Egor Dëmin", "latin-1", times=2), "egordemin"),
    (broken("Egor Dëmin", "cp1252", times=2), "egordemin"),
]


@pytest.mark.parametrize(("name", "lookup"), SPELLINGS)
def test_spelling_meets_its_lookup(name: str, lookup: str | None, engine: duckdb.DuckDBPyConnection) -> None:
    """Accents, marks, suffixes, order and broken text come to one lookup, in both languages."""
    assert name_to_lookup(name) == lookup
    assert in_sql(engine, [name]) == [lookup]


LETTERS = st.text(
    alphabet=st.one_of(
        st.sampled_from("abz AZёвИ.,'-’ÄÅÃâÂ€™šž\x8d\x87\x9d đØłßæİıK"),
        st.characters(min_codepoint=1, max_codepoint=0x24F),
    ),
    max_size=24,
)
WORDS = st.lists(st.sampled_from(["Jr", "III,", "v", ",", "Dončić", "J.", "O'Neal", "sr."]) | LETTERS, max_size=5).map(
    " ".join
)


@settings(max_examples=50, deadline=None)
@given(st.lists(WORDS | WORDS.map(lambda n: broken(n, "latin-1")), min_size=1, max_size=30))
def test_sql_rule_equals_python_rule(engine: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """For any text the SQL expression and the Python function give the same lookup."""
    assert in_sql(engine, names) == [name_to_lookup(name) for name in names]


@given(WORDS)
def test_rule_is_settled_after_once(name: str) -> None:
    """A lookup is its own lookup, so aliases may be given as names or as lookups."""
    lookup = name_to_lookup(name)

    assert lookup is None or name_to_lookup(lookup) == lookup


def test_built_in_aliases_bring_ten_spellings_home() -> None:
    """The ten spellings that never meet the official one by the rule."""
    aliases = player_aliases()

    assert len(aliases) == 10
    assert aliases["nicolasclaxton"] == "nicclaxton"
    assert player_lookup("Herb Jones") == "herbertjones"
    assert player_lookup("B.J. Boston Jr") == "brandonboston"
    assert player_lookup("Yanic Niederhäuser") == "yanickonanniederhauser"
    assert player_lookup("Someone Else") == "someoneelse"
    assert player_lookup("...") is None


def test_user_aliases_extend_and_override(tmp_path: Path) -> None:
    """A user's CSV adds names or lookups, wins over the built-in ones, and may lean on them."""
    path = tmp_path / "aliases.csv"
    path.write_text(
        "alias,player\nThe Brow,Anthony Davis\nherbjones,someoneelse\nH. Jones,Herb Jones\n", encoding="utf-8"
    )

    aliases = player_aliases(path)

    assert aliases["thebrow"] == "anthonydavis"
    assert aliases["herbjones"] == "someoneelse"
    assert aliases["hjones"] == "someoneelse"
    assert aliases["moewagner"] == "moritzwagner"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alias,name\na,b\n", "the column player is missing."),
        ("alias,player\nA B,C D\n,C D\n", "row 2, column alias: empty names nobody."),
        ("alias,player\nA B\n", "row 1, column player: empty names nobody."),
    ],
)
def test_bad_alias_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    """A wrong alias file says which file, row and column."""
    path = tmp_path / "aliases.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError) as caught:
        player_aliases(path)

    assert caught.value.message == f"{path}{': ' if 'missing' in message else ' '}{message}"
    assert "alias,player" in caught.value.hint


def test_missing_alias_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is an error of ours."""
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        player_aliases(tmp_path / "none.csv")


def test_nearest_names_candidates_best_first(engine: duckdb.DuckDBPyConnection) -> None:
    """An unmatched lookup gets the known ones that read most like it; a stranger gets none."""
    unmatched = "(SELECT unnest(['treymurphi', 'zzz']) AS player_lookup)"
    known = "(SELECT unnest(['treymurphy', 'treylyles', 'keegan murray', 'treymurphi']) AS player_lookup)"

    rows = engine.execute(nearest_sql(unmatched, known, limit=2)).fetchall()

    assert len(rows) == 1
    assert rows[0][0] == "treymurphi"
    assert rows[0][1][0] == "treymurphy"
