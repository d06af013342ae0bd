"""The checker of a torture: it passes a correct history, and finds every lie that is planted in one (G1 to G5)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gradeonce.torture.checker import check
from gradeonce.torture.history import Event
from torture_histories import (
    NEIGHBOUR,
    SHELF,
    A,
    B,
    C,
    acknowledged,
    attempt,
    changed,
    correct_history,
    entry,
    looked,
    refused,
    revised,
    seen,
    stands,
    with_events,
    without,
)


def found(events: Sequence[Event], guarantee: str) -> list[str]:
    """Return the messages of the violations of one guarantee."""
    return [violation.message for violation in check(events) if violation.guarantee == guarantee]


def test_a_correct_history_breaks_nothing() -> None:
    """Two versions, one repeated, a stale writer refused: nothing to find."""
    assert check(correct_history()) == []


def test_an_empty_history_breaks_nothing() -> None:
    """Nothing happened, so nothing was broken; that it proves nothing is the verdict's business."""
    assert check([]) == []


# G1


def test_keys_that_stand_twice_are_found() -> None:
    """8 rows with 6 keys: two keys stand twice, though it is one version."""
    events = with_events(looked(4.9, {SHELF: seen(B, "b", keys=6)}))

    assert found(events, "G1") == ["r0 saw 8 rows with 6 keys: keys stand more than once"]


def test_keys_that_stand_twice_at_the_end_are_found() -> None:
    """The judge's own look counts as well."""
    events = [*without(lambda event: event.kind == "stands"), stands({SHELF: seen(B, "b", rows=16)})]

    assert found(events, "G1") == ["judge saw 16 rows with 8 keys: keys stand more than once"]


# G2


def test_a_mixture_of_versions_is_found() -> None:
    """6 + 8 rows of two versions, every key of its own: G1 holds, G2 does not."""
    both = seen(B, "b", rows=14, keys=14, versions=["va", "vb"], runs=["a", "b"])
    events = with_events(looked(4.9, {SHELF: both}))

    assert found(events, "G1") == []
    assert found(events, "G2") == ["r0 saw rows of 2 versions at once: va, vb"]


def test_an_empty_partition_after_the_first_version_is_found() -> None:
    """Between DELETE and INSERT there is nothing; before the first version there may be."""
    before = with_events(looked(0.8, {}))
    between = with_events(looked(2.5, {}))

    assert check(before) == []
    assert found(between, "G2") == ["r0 saw an empty partition, though a version had been published before"]


def test_a_partition_that_empties_again_without_acknowledgement_is_found() -> None:
    """A reader saw the first version before its worker was told: from then on empty is a violation, too."""
    never_told = without(lambda event: event.kind == "acknowledged" and event.data["run"] == "a")
    events = sorted([*never_told, looked(2.5, {})], key=lambda event: event.at)

    assert len(found(events, "G2")) == 1


@pytest.mark.parametrize("other", [{"rows": 7, "keys": 7}, {"checksum": 0}], ids=["a row is missing", "other amounts"])
def test_part_of_a_version_is_found(other: dict[str, int]) -> None:
    """7 of the 8 rows of vb, or 8 rows with other amounts in them, are not vb."""
    events = with_events(looked(4.9, {SHELF: seen(B, "b", **other)}))

    assert len(found(events, "G2")) == 1


def test_a_version_that_nobody_published_is_found() -> None:
    """Rows stamped by a run that never began."""
    events = with_events(looked(4.9, {SHELF: seen(C, "ghost")}))

    assert found(events, "G2") == ["r0 saw version vc stamped by run ghost, which did not publish that here"]


def test_one_version_with_two_stamps_is_found() -> None:
    """The content of vb, half of it stamped by a second run."""
    events = with_events(looked(4.9, {SHELF: seen(B, "b", runs=["b", "b_again"])}))

    assert found(events, "G2") == ["r0 saw one version with the stamps of 2 runs: b, b_again"]


def test_a_refused_version_that_is_seen_is_found() -> None:
    """c was refused; nobody may ever see it."""
    events = with_events(looked(4.9, {SHELF: seen(C, "c")}))

    assert found(events, "G2") == ["r0 saw version vc of the run c, which was refused"]


def test_a_version_that_was_never_committed_is_found() -> None:
    """g was killed inside its commit: it is in no ledger, and yet a look saw its rows."""
    events = with_events(attempt(4.5, "w3.1", "g", C, 3), looked(4.9, {SHELF: seen(C, "g")}))

    assert found(events, "G2") == ["r0 saw version vc of the run g, which was never committed"]


def test_rows_that_a_taken_back_commit_left_are_found() -> None:
    """The server took back g's commit, g started again and was refused: its rows must never have been seen."""
    events = with_events(
        attempt(4.3, "w3.1", "g", C, 1),
        Event(4.6, "w3.1", "again", {"run": "g", "after": "commit.pointed"}),
        looked(4.65, {SHELF: seen(C, "g")}),
        refused(4.7, "w3.1", "g", token=1),
    )

    assert found(events, "G2") == ["r0 saw version vc of the run g, which was refused"]


def test_a_taken_back_commit_that_lands_at_the_second_try_breaks_nothing() -> None:
    """Of the first try nothing is left: one version, one entry, one set of revisions."""
    events = [
        *without(lambda event: event.kind == "stands"),
        attempt(4.3, "w3.1", "g", C, 3),
        Event(4.6, "w3.1", "again", {"run": "g", "after": "commit.pointed"}),
        acknowledged(4.85, "w3.1", "g", token=3, seq=4),
        looked(5.1, {SHELF: seen(C, "g")}),
        entry(4, "g", token=3, seq=4, content="hash-c", rows=7),
        revised("g", "changed", "vb", "vc", 7),
        revised("g", "removed", "vb", None, 1),
        stands({SHELF: seen(C, "g")}),
    ]

    assert check(sorted(events, key=lambda event: event.at)) == []


def test_half_of_a_publish_of_two_partitions_is_found() -> None:
    """Run d publishes both shelves at once; a look sees it on one of them only."""
    shelves = (SHELF, NEIGHBOUR)
    parts = {
        SHELF: {"status": "published", "token": 3, "seq": 4},
        NEIGHBOUR: {"status": "published", "token": 3, "seq": 1},
    }
    more = [
        attempt(5.1, "w0.1", "d", C, 3, shelves),
        Event(5.5, "w0.1", "acknowledged", {"run": "d", "shelves": parts}),
        entry(4, "d", token=3, seq=4, content="hash-c", rows=7),
        entry(5, "d", token=3, seq=1, content="hash-c", rows=7, shelf=NEIGHBOUR),
        revised("d", "changed", "vb", "vc", 7),
        revised("d", "removed", "vb", None, 1),
        Event(
            9.5,
            "judge",
            "stands",
            {"began": 9.4, "asked": list(shelves), "shelves": dict.fromkeys(shelves, seen(C, "d"))},
        ),
    ]
    both = looked(5.45, {SHELF: seen(C, "d"), NEIGHBOUR: seen(C, "d")}, asked=shelves)
    neither = looked(5.3, {SHELF: seen(B, "b")}, asked=shelves)
    half = looked(5.4, {SHELF: seen(B, "b"), NEIGHBOUR: seen(C, "d")}, asked=shelves)

    assert check(with_events(*more, both, neither)) == []
    assert found(with_events(*more, half), "G2") == [
        "r0 saw half of run d: its other part, version 4 of shelf-0000, was not there yet (version 2 was)"
    ]


def test_a_publish_that_leaves_one_of_two_partitions_unchanged_is_whole() -> None:
    """Seen in a real run: b comes again on both shelves, where one has it already and keeps the stamps of b."""
    shelves = (SHELF, NEIGHBOUR)
    parts = {
        SHELF: {"status": "unchanged", "token": 2, "seq": 4},
        NEIGHBOUR: {"status": "published", "token": 2, "seq": 1},
    }
    seen_at_last = {SHELF: seen(B, "b"), NEIGHBOUR: seen(B, "b_more")}
    events = with_events(
        attempt(5.1, "w1.1", "b_more", B, 2, shelves),
        Event(5.5, "w1.1", "acknowledged", {"run": "b_more", "shelves": parts}),
        entry(4, "b_more", token=2, seq=4, content="hash-b", rows=8, status="unchanged"),
        entry(5, "b_more", token=2, seq=1, content="hash-b", rows=8, shelf=NEIGHBOUR),
        looked(5.7, seen_at_last, asked=shelves),
        Event(9.5, "judge", "stands", {"began": 9.4, "asked": list(shelves), "shelves": seen_at_last}),
    )

    assert check(events) == []


# G3


def test_a_stale_writer_that_was_accepted_is_found() -> None:
    """c, with token 1, becomes version 4 after version 3 with token 2."""
    events = [
        *without(lambda event: event.kind in ("refused", "stands")),
        acknowledged(4.2, "w0.1", "c", token=1, seq=4),
        entry(4, "c", token=1, seq=4, content="hash-c", rows=7),
        revised("c", "changed", "vb", "vc", 7),
        revised("c", "removed", "vb", None, 1),
        stands({SHELF: seen(C, "c")}),
    ]

    assert found(events, "G3") == [
        "run c was accepted with token 1 as version 4, after version 3 with token 2: a stale writer",
        "readers saw run b with token 2, and later run c with token 1: a stale writer overwrote it",
    ]


def test_two_runs_accepted_as_the_same_version_are_found() -> None:
    """Both started from version 1, and both were told that they are version 2."""
    events = with_events(
        attempt(2.1, "w2.1", "e", C, 2),
        acknowledged(3.6, "w2.1", "e", token=2, seq=2),
        entry(4, "e", token=2, seq=2, content="hash-c", rows=7),
    )

    assert found(events, "G3") == ["two runs were both accepted as version 2: b and e"]


def test_an_old_token_acknowledged_after_a_newer_one_is_found_without_the_ledger() -> None:
    """Even if version numbers tell nothing: the run began after token 2 was accepted, and had token 1."""
    events = [
        event
        for event in with_events(attempt(4.5, "w0.1", "f", C, 1), acknowledged(4.6, "w0.1", "f", token=1, seq=0))
        if event.who != "judge"
    ]

    assert "run f began after token 2 had been accepted, and was acknowledged with token 1" in found(events, "G3")


def test_a_version_acknowledged_before_an_older_one_is_found() -> None:
    """Same token: f began after version 3 had been acknowledged, and was told that it is version 2."""
    events = [
        event
        for event in with_events(attempt(4.5, "w1.1", "f", C, 2), acknowledged(4.6, "w1.1", "f", token=2, seq=2))
        if event.who != "judge"
    ]

    assert "run f began after version 3 had been acknowledged, and was acknowledged as version 2" in found(events, "G3")


def test_a_reader_that_sees_a_token_fall_is_found() -> None:
    """Version b (token 2) was seen; a later look sees a (token 1) again."""
    events = with_events(looked(4.9, {SHELF: seen(A, "a")}))

    assert found(events, "G3") == [
        "readers saw run b with token 2, and later run a with token 1: a stale writer overwrote it"
    ]


def test_looks_that_overlap_may_see_either_version() -> None:
    """Two looks at the same time, around a publish: one sees the old version, the other the new one."""
    wide = Event(3.6, "r1", "looked", {"began": 2.6, "asked": [SHELF], "shelves": {SHELF: seen(A, "a")}})

    assert check(with_events(wide)) == []


# G4


def test_an_acknowledged_run_that_is_not_in_the_ledger_is_found() -> None:
    """b was acknowledged, and left no entry."""
    events = without(lambda event: event.kind == "ledger" and event.data["run"] == "b")

    assert "run b was acknowledged as version 2, but is not in the ledger" in found(events, "G4")


def test_a_ledger_that_tells_another_story_is_found() -> None:
    """The worker was told token 2; the ledger says 5."""
    events = changed("ledger", "b", token=5)

    assert found(events, "G4") == [
        "run b was acknowledged as published, version 2, token 2; the ledger says published, version 2, token 5"
    ]


def test_a_run_in_the_ledger_that_nobody_began_is_found() -> None:
    """An entry without an attempt."""
    events = with_events(entry(4, "ghost", token=2, seq=4, content="hash-b", rows=8, status="unchanged"))

    assert found(events, "G4") == ["the ledger holds run ghost, which nobody began"]


def test_a_refused_run_that_was_committed_is_found() -> None:
    """c was told that it was refused; the ledger says that it was published."""
    events = with_events(entry(4, "c", token=2, seq=4, content="hash-c", rows=7))

    assert "the ledger holds run c, whose worker was told that it was refused" in found(events, "G4")


def test_a_version_that_the_ledger_does_not_tell_is_found() -> None:
    """Versions 1 and 3, and no 2: whoever made it was never told, so only the gap tells."""
    events = without(lambda event: event.data.get("run") == "b" and event.kind in ("ledger", "acknowledged", "revised"))

    assert "the ledger tells version 3 where version 2 should follow" in found(events, "G4")


def test_a_first_version_that_the_ledger_does_not_tell_is_found() -> None:
    """Versions 2 and 3 only."""
    events = without(lambda event: event.data.get("run") == "a" and event.kind in ("ledger", "acknowledged"))

    assert "the ledger tells version 2 where version 1 should follow" in found(events, "G4")


def test_versions_in_the_wrong_order_are_found() -> None:
    """The entries of versions 2 and 3 have changed places."""
    events = without(lambda event: event.kind == "ledger")
    entries = [event for event in correct_history() if event.kind == "ledger"]

    assert set(found([*events, entries[0], entries[2], entries[1]], "G4")) == {
        "the ledger tells version 3 where version 2 should follow",
        "the ledger tells version 2 where version 4 should follow",
    }


def test_a_version_that_was_seen_and_is_gone_is_found() -> None:
    """b's worker was killed before he was told; a look saw b all the same, and the next one sees a again."""
    never_told = without(lambda event: event.kind == "acknowledged" and event.data["run"] in ("b", "b_again"))
    events = sorted([*never_told, looked(4.9, {SHELF: seen(A, "a")})], key=lambda event: event.at)

    assert found(events, "G4") == ["readers saw version 2 of run b, and later version 1 again"]


def test_acknowledged_work_that_is_not_seen_is_found() -> None:
    """b was acknowledged at 3.5; a look that began at 3.6 still sees a."""
    events = with_events(looked(3.7, {SHELF: seen(A, "a")}))

    assert found(events, "G4") == ["version 2 of run b was acknowledged, but a look that began later saw version 1"]


@pytest.mark.parametrize("left", [{}, {SHELF: seen(A, "a")}], ids=["nothing", "the version before"])
def test_something_else_than_the_last_version_at_the_end_is_found(left: dict[str, dict[str, object]]) -> None:
    """b was the last; at the end nothing stands, or a again."""
    events = [*without(lambda event: event.kind == "stands"), stands(left)]

    assert any("but" in message and "stands at the end" in message for message in found(events, "G4"))


def test_a_ledger_that_does_not_verify_is_found() -> None:
    """Whatever `ledger verify` finds is a violation."""
    events = [*correct_history()[:-1], Event(9.4, "judge", "verified", {"findings": ["entry 2 was changed"]})]

    assert found(events, "G4") == ["the ledger does not verify: entry 2 was changed"]


def test_a_run_killed_before_it_was_told_may_stand() -> None:
    """b committed and its worker was killed: it is in the ledger and seen, and nobody was told."""
    events = without(lambda event: event.kind == "acknowledged" and event.data["run"] == "b")

    assert check(events) == []


def test_a_run_killed_before_its_commit_leaves_nothing() -> None:
    """An attempt of which nothing was heard again."""
    assert check(with_events(attempt(4.5, "w3.1", "g", C, 3))) == []


# G5


def test_unchanged_content_that_was_published_is_found() -> None:
    """b_again had the content that stood, and was published all the same."""
    events = changed("ledger", "b_again", status="published")

    assert "run b_again had the content that stood already, and was published" in found(events, "G5")


def test_changed_content_that_was_called_unchanged_is_found() -> None:
    """b differs from a, and was called unchanged."""
    events = changed("ledger", "b", status="unchanged")

    assert "run b had another content than what stood, and was unchanged" in found(events, "G5")


def test_rows_written_by_an_unchanged_run_are_found() -> None:
    """The stamps of b must stay; here they are those of b_again."""
    events = with_events(looked(4.9, {SHELF: seen(B, "b_again")}))

    assert found(events, "G5") == ["r0 saw rows stamped by run b_again, which was unchanged and should write none"]


def test_missing_revisions_are_found() -> None:
    """From a to b 6 rows changed and 2 were added; the revisions of the 6 are missing."""
    events = without(lambda event: event.kind == "revised" and event.data["change"] == "changed")

    assert found(events, "G5") == ["run b led from va to vb, but its revisions say: 2 added from None to vb"]


def test_a_run_without_any_revision_is_found() -> None:
    """Both sums are missing."""
    events = without(lambda event: event.kind == "revised")

    assert found(events, "G5") == ["run b led from va to vb, but its revisions say: nothing"]


def test_revisions_that_name_another_base_are_found() -> None:
    """b replaced a; its revisions say that it replaced vc: what it overwrote was never looked at."""
    events = [
        *without(lambda event: event.kind == "revised" and event.data["change"] == "changed"),
        revised("b", "changed", "vc", "vb", 6),
    ]

    assert len(found(events, "G5")) == 1


def test_revisions_of_a_run_that_published_nothing_are_found() -> None:
    """c was refused; it must leave no revision."""
    events = with_events(revised("c", "changed", "vb", "vc", 7))

    assert found(events, "G5") == ["7 revisions name run c, which published nothing"]


def test_revisions_of_an_unchanged_run_are_found() -> None:
    """An unchanged run writes nothing, no revision either."""
    events = with_events(revised("b_again", "changed", "vb", "vb", 8))

    assert len(found(events, "G5")) == 1


def test_revisions_of_a_second_try_belong_to_the_run() -> None:
    """A publish that started again from base wrote its revisions under its name with -2 behind it."""
    events = [
        *without(lambda event: event.kind == "revised"),
        revised("b-2", "changed", "va", "vb", 6),
        revised("b-2", "added", None, "vb", 2),
    ]

    assert check(events) == []


def test_a_refused_run_breaks_nothing() -> None:
    """Being refused is what a stale writer is for."""
    events = with_events(attempt(4.5, "w0.1", "h", C, 1), refused(4.6, "w0.1", "h", token=1))

    assert check(events) == []
