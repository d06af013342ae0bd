"""The hash chain and the hash of a set of rows: what they cover, and the laws they keep."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gradeonce.chain import GENESIS, Entry, add_hashes, canonical_json, content_hash, seal
from gradeonce.ledger import standing_partitions, verify_chain
from gradeonce.model import EntryDraft

law = settings(deadline=None, derandomize=True)

HALVES = st.integers(min_value=0, max_value=2**70)
ROWS = st.lists(st.text(max_size=5), max_size=8)
DRAFT = EntryDraft(kind="publish", run_id="r", table="t", partition="p", status="published", seq=1, rows=2)


def hash_of(rows: list[str]) -> str:
    """Hash a set of rows as the engine does: sums of both halves of each row's MD5."""
    digests = [hashlib.md5(row.encode()).digest() for row in rows]
    if not digests:
        return ""
    return content_hash(sum(int.from_bytes(d[:8]) for d in digests), sum(int.from_bytes(d[8:]) for d in digests))


def chain_of(drafts: list[EntryDraft]) -> list[Entry]:
    """Seal the drafts one after the other."""
    entries: list[Entry] = []
    for number, draft in enumerate(drafts, start=1):
        entries.append(seal(number, f"2026-01-{number:02}", draft, entries[-1].entry_hash if entries else GENESIS))
    return entries


@law
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[str], random: object) -> None:
    """Any order of the same rows has the same hash."""
    shuffled = list(rows)
    random.shuffle(shuffled)

    assert hash_of(shuffled) == hash_of(rows)


@law
@given(ROWS, ROWS)
def test_the_hash_of_two_sets_follows_from_theirs(first: list[str], second: list[str]) -> None:
    """An append need not read what stands: add_hashes(hash(A), hash(B)) = hash(A and B), in either order."""
    assert add_hashes(hash_of(first), hash_of(second)) == hash_of(first + second)
    assert add_hashes(hash_of(second), hash_of(first)) == hash_of(first + second)


@law
@given(ROWS, ROWS, ROWS)
def test_adding_hashes_is_associative(a: list[str], b: list[str], c: list[str]) -> None:
    """Three loads have one hash, however they are put together."""
    assert add_hashes(add_hashes(hash_of(a), hash_of(b)), hash_of(c)) == add_hashes(
        hash_of(a), add_hashes(hash_of(b), hash_of(c))
    )


@law
@given(ROWS, st.text(max_size=5))
def test_one_more_row_is_another_hash(rows: list[str], more: str) -> None:
    """Also when it is a row that is there already: a doubled row is not the same set."""
    assert hash_of([*rows, more]) != hash_of(rows)


@law
@given(HALVES, HALVES)
def test_sums_wrap_at_64_bits(low: int, high: int) -> None:
    """The text is always 32 hexadecimal digits, high half first."""
    text = content_hash(low, high)

    assert len(text) == 32
    assert (int(text[:16], 16), int(text[16:], 16)) == (high % 2**64, low % 2**64)


def test_no_rows_have_no_hash() -> None:
    """The empty text stands for no rows, and adds nothing."""
    assert add_hashes("", "") == ""
    assert add_hashes(content_hash(1, 2), "") == add_hashes("", content_hash(1, 2)) == content_hash(1, 2)


def test_an_entry_is_the_sha256_of_its_json() -> None:
    """Worked out here by hand, so that anyone can check a ledger without gradeonce."""
    entry = seal(1, "2026-01-01T00:00:00+00:00", replace(DRAFT, details={"b": 1, "a": "é"}), GENESIS)

    text = (
        '{"at":"2026-01-01T00:00:00+00:00","content_hash":"","details":{"a":"\\u00e9","b":1},"holder":"",'
        '"kind":"publish","number":1,"partition":"p","previous_hash":"' + "0" * 64 + '","rows":2,"run_id":"r",'
        '"seq":1,"status":"published","table":"t","token":0}'
    )
    assert entry.entry_hash == hashlib.sha256(text.encode()).hexdigest()


@law
@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.none(), max_size=4))
def test_a_value_has_one_json_text(value: dict[str, object]) -> None:
    """Whatever order its keys were put in, and read back it is the same value."""
    backwards = dict(reversed(value.items()))

    assert canonical_json(value) == canonical_json(backwards)
    assert json.loads(canonical_json(value)) == value


def test_every_field_is_covered() -> None:
    """Changing any one field of an entry changes its hash."""
    entry = seal(1, "now", DRAFT, GENESIS)
    others = [
        seal(2, "now", DRAFT, GENESIS),
        seal(1, "then", DRAFT, GENESIS),
        seal(1, "now", DRAFT, "1" * 64),
        *(
            seal(1, "now", replace(DRAFT, **{name: 7 if isinstance(value, int) else "other"}), GENESIS)
            for name, value in vars(DRAFT).items()
            if name != "details"
        ),
        seal(1, "now", replace(DRAFT, details={"x": 1}), GENESIS),
    ]

    assert len({entry.entry_hash, *(other.entry_hash for other in others)}) == len(others) + 1


def test_an_honest_chain_holds() -> None:
    """An empty one too."""
    assert verify_chain([]) == []
    assert verify_chain(chain_of([DRAFT] * 3)) == []


@law
@given(st.integers(min_value=0, max_value=4), st.sampled_from(["drop", "double", "swap", "edit", "reseal"]))
def test_no_chain_holds_after_a_change(place: int, change: str) -> None:
    """Dropped (but for the last), doubled, swapped, edited or sealed anew (but for the last): a finding."""
    entries = chain_of([replace(DRAFT, run_id=f"r{number}") for number in range(6)])
    if change == "drop":
        del entries[place]
    elif change == "double":
        entries.insert(place, entries[place])
    elif change == "swap":
        entries[place], entries[place + 1] = entries[place + 1], entries[place]
    elif change == "edit":
        entries[place] = replace(entries[place], draft=replace(DRAFT, rows=99))
    else:
        old = entries[place]
        entries[place] = seal(old.number, old.at, replace(DRAFT, rows=99), old.previous_hash)

    assert verify_chain(entries) != []


def test_the_last_word_on_a_partition_stands() -> None:
    """Publishes one by one, loads by their list of partitions; a failed run says nothing of what stands."""
    load = EntryDraft(
        kind="load",
        run_id="l",
        table="in",
        details={"partitions": [{"partition": "p", "token": 0, "seq": 3, "rows": 5, "content_hash": "h"}]},
    )
    drafts = [DRAFT, load, replace(DRAFT, run_id="r2", seq=2), replace(DRAFT, run_id="r3", seq=0, status="failed")]

    standing = standing_partitions(chain_of(drafts))

    assert {key: draft.run_id for key, draft in standing.items()} == {("t", "p"): "r2", ("in", "p"): "l"}
    assert (standing["in", "p"].seq, standing["in", "p"].rows, standing["in", "p"].content_hash) == (3, 5, "h")
