"""The nemesis's plan, and what it controls: a file, a clock and the way to a lock store."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gradeonce.errors import TransientWarehouseError, UsageError
from gradeonce.leases import MemoryLeases
from gradeonce.torture.batches import StagedPick, date_of, file_of, make_picks
from gradeonce.torture.control import Blow, ControlFile, Controls, CutLeases, SkewedClock, without, write_controls
from gradeonce.torture.history import Event
from gradeonce.torture.orders import FAULTS, Orders, TortureOptions
from gradeonce.torture.plan import Fault, Step, make_plan
from gradeonce.torture.shelves import Version, in_play


def a_plan(
    seed: int = 1, *, seconds: float = 60.0, workers: int = 8, kinds: tuple[str, ...] = FAULTS
) -> tuple[Fault, ...]:
    steps = (Step("publish.staged", 1), Step("commit.pointed", 1, brief=True))
    return make_plan(seed, seconds=seconds, workers=workers, kinds=kinds, lease_seconds=1.0, steps=lambda _: steps)


def test_the_same_seed_makes_the_same_plan() -> None:
    """And another seed another one."""
    assert a_plan(1) == a_plan(1)
    assert a_plan(1) != a_plan(2)


def test_a_minute_holds_hundreds_of_faults_of_every_kind() -> None:
    """60 s at 1.3 + 1.3 + 0.3 + 0.5 + 0.6 = 4.0 faults a second: about 240, of the rarest kind about 18."""
    kinds = Counter(fault.kind for fault in a_plan())

    assert set(kinds) == set(FAULTS)
    assert kinds.total() > 200
    assert min(kinds.values()) > 12


def test_faults_come_in_order_and_within_the_time() -> None:
    """Numbered from 1, none before the workers are up, none after the end."""
    plan = a_plan(seconds=10)
    instants = [fault.at_seconds for fault in plan]

    assert [fault.number for fault in plan] == list(range(1, len(plan) + 1))
    assert instants == sorted(instants)
    assert instants[0] > 0.5
    assert instants[-1] < 10


def test_pauses_outlast_the_lease() -> None:
    """A pause shorter than the lease would prove nothing; one inside a commit stops everybody, and is no longer."""
    pauses = [fault for fault in a_plan() if fault.kind == "pause"]

    assert min(pause.seconds for pause in pauses) > 1.0
    assert max(pause.seconds for pause in pauses if pause.step == "commit.pointed") < 1.5
    assert max(pause.seconds for pause in pauses if pause.step == "publish.staged") > 3.0


def test_the_way_to_a_server_is_cut_where_it_can_be() -> None:
    """At a step of a commit that allows it, half a time a second; a local warehouse has no such step."""
    server = make_plan(
        1, seconds=60, workers=8, kinds=("cut",), lease_seconds=1.0, steps=lambda _: (Step("commit.done", 1, cut=True),)
    )
    ways = [fault for fault in server if fault.step]

    assert 20 < len(ways) < 40
    assert {fault.step for fault in ways} == {"commit.done"}
    assert not [fault for fault in a_plan() if fault.kind == "cut" and fault.step]


def test_where_everything_takes_longer_faults_are_rarer() -> None:
    """A third of them at a pace of 3; each kind still strikes."""
    steps = (Step("commit.begun", 1), Step("commit.sent", 1, cut=True))
    plans = [
        make_plan(1, seconds=60, workers=8, kinds=FAULTS, lease_seconds=pace, steps=lambda _: steps, pace=pace)
        for pace in (1.0, 3.0)
    ]

    assert 2.5 < len(plans[0]) / len(plans[1]) < 3.5
    assert {fault.kind for fault in plans[1]} == set(FAULTS)
    assert min(fault.seconds for fault in plans[1] if fault.kind == "pause") > 3.0


def test_leaving_a_kind_out_does_not_move_the_others() -> None:
    """So a violation can be narrowed down by leaving out one kind after the other."""
    pauses = [fault.at_seconds for fault in a_plan() if fault.kind == "pause"]

    assert [fault.at_seconds for fault in a_plan(kinds=("pause",))] == pauses
    assert a_plan(kinds=()) == ()


def test_fewer_workers_are_killed_less_often() -> None:
    """With 2 workers a quarter of the kills: somebody has to be left to publish."""
    kills = [fault for fault in a_plan(workers=2) if fault.kind == "kill"]

    assert 13 < len(kills) < 26
    assert {fault.slot for fault in kills} == {0, 1}


@pytest.mark.parametrize(
    "wrong", [{"faults": ("kill", "earthquake")}, {"algorithm": "hope"}, {"seconds": 0}, {"workers": 0}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """Each names what was expected."""
    with pytest.raises(UsageError):
        TortureOptions(**wrong)  # type: ignore[arg-type]


def test_the_command_names_everything_the_plan_depends_on() -> None:
    """It is printed with every verdict."""
    options = TortureOptions(seconds=2.5, seed=7, workers=3, algorithm="naive", faults=())

    assert options.command == "gradeonce torture --seconds 2.5 --seed 7 --workers 3 --algorithm naive --faults none"


def test_orders_survive_the_way_to_another_process() -> None:
    """JSON makes a list of a tuple; orders are the same again."""
    orders = Orders(
        "/x", "torture_x", "", 1.0, 2, 3, "naive", ("kill", "cut"), 1, 2, 1, 1.0, "sqlite", "fence", 1, 1, False, 5.5
    )

    assert Orders.from_json(orders.to_json()) == orders


def test_slots_have_roles() -> None:
    """Three workers, two consolidators, one deduplicator: six slots, each with a name that tells."""
    orders = Orders(
        "/x", "torture_x", "", 1.0, 2, 3, "gradeonce", (), 1, 2, 1, 1.0, "sqlite", "fence", 1, 1, False, 5.5
    )

    assert [orders.name_of(slot, 1) for slot in range(orders.actors)] == [
        "w0.1",
        "w1.1",
        "w2.1",
        "c3.1",
        "c4.1",
        "d5.1",
    ]
    assert [Event(1.0, orders.name_of(slot, 2), "x").slot for slot in range(orders.actors)] == list(range(6))
    assert [Event(1.0, who, "x").slot for who in ("r0", "nemesis", "judge", "crashed")] == [None] * 4


def test_each_role_is_struck_at_steps_of_its_own() -> None:
    """The plan asks for the steps of the slot it strikes."""
    steps = {slot: (Step(f"step{slot}", 1),) for slot in range(8)}
    plan = make_plan(1, seconds=60, workers=8, kinds=("kill",), lease_seconds=1.0, steps=lambda slot: steps[slot])

    assert all(fault.step in ("", f"step{fault.slot}") for fault in plan)
    assert {fault.step for fault in plan} > {"step0", "step7"}


def test_batches_have_dates_and_writes_have_a_key_of_their_own() -> None:
    """Batch 3 is for 4 January; each of its writes brings one key that no other has, and two of four rivals."""
    first, second = (make_picks("batch-0003", write, random.Random(write)) for write in ("c8.1.1", "c9.1.1"))

    assert date_of("batch-0003") == "2026-01-04"
    assert len({pick.name for pick in (*first, *second)}) == 6
    assert first[0].key != second[0].key
    assert {pick.key for pick in (*first[1:], *second[1:])} <= {f"rival{number}" for number in range(4)}
    text = file_of("batch-0003", [StagedPick("p", "k", 3_600_000_001)])
    assert text.splitlines()[1] == "torture,k,0022500601,2026-01-04,20,20.5,2026-01-04T01:00:00.000001Z,p"


def test_versions_differ_by_worker_life_and_turn() -> None:
    """Name and number: no two of 4 x 3 x 5 versions are alike."""
    versions = [Version.of(slot, life, turn) for slot in range(4) for life in range(1, 4) for turn in range(5)]

    assert len({version.name for version in versions}) == len({version.number for version in versions}) == 60


def test_a_checksum_is_the_sum_of_the_amounts() -> None:
    """Number 3: 5 + 3 = 8 rows with the amounts 3 to 10, which add up to 52."""
    assert (Version("v", 3).rows, Version("v", 3).checksum) == (8, 52)


def test_fresh_partitions_come_into_play() -> None:
    """Three at a time, one step every five seconds; readers look one further back."""
    assert in_play(0.0) == ["shelf-0000", "shelf-0001", "shelf-0002"]
    assert in_play(11.0, before=1) == ["shelf-0001", "shelf-0002", "shelf-0003", "shelf-0004"]


@pytest.fixture
def controls(tmp_path: Path) -> Path:
    """A control file with nothing switched on."""
    path = tmp_path / "control.json"
    write_controls(path, Controls())
    return path


def test_controls_are_read_again_when_they_were_replaced(controls: Path) -> None:
    """What is read is what was written, keys as numbers."""
    file = ControlFile(controls)
    assert file.read() == Controls()

    on = Controls(True, {1: "after"}, {2: -1.5}, {3: Blow(4, "kill", "commit.done")})
    write_controls(controls, on)

    assert file.read() == on
    assert without(on, 3).blows == {}


def test_a_skewed_clock_moves_its_wall_hand_only(controls: Path) -> None:
    """An hour ahead by the wall, unmoved by the monotonic hand; and only for the worker named."""
    write_controls(controls, Controls(skews={1: 3600.0}))
    skewed, other = SkewedClock(ControlFile(controls), 1), SkewedClock(ControlFile(controls), 2)

    assert (skewed.now() - datetime.now(UTC)).total_seconds() == pytest.approx(3600, abs=5)
    assert (other.now() - datetime.now(UTC)).total_seconds() == pytest.approx(0, abs=5)
    assert skewed.monotonic() == pytest.approx(other.monotonic(), abs=5)


def test_a_store_that_is_cut_off_before_hears_nothing(controls: Path) -> None:
    """The claim is refused, and the store has no record of it."""
    store = MemoryLeases()
    write_controls(controls, Controls(cuts={1: "before"}))

    with pytest.raises(TransientWarehouseError, match="out of reach"):
        CutLeases(store, ControlFile(controls), 1).try_acquire("k", holder="h", ttl_seconds=1, floor=0)

    assert store.records() == []


def test_a_store_whose_answer_is_lost_has_done_it(controls: Path) -> None:
    """The caller sees an error; the claim stands all the same."""
    store = MemoryLeases()
    write_controls(controls, Controls(cuts={1: "after"}))

    with pytest.raises(TransientWarehouseError, match="answer was lost"):
        CutLeases(store, ControlFile(controls), 1).try_acquire("k", holder="h", ttl_seconds=1, floor=0)

    assert [record.holder for record in store.records()] == ["h"]


def test_a_store_that_is_not_cut_off_answers(controls: Path) -> None:
    """All verbs go through for a worker that is not named."""
    write_controls(controls, Controls(cuts={1: "before"}))
    store = CutLeases(MemoryLeases(), ControlFile(controls), 2)
    token = store.try_acquire("k", holder="h", ttl_seconds=60, floor=4).token

    assert token == 5
    assert store.renew("k", holder="h", token=token)
    assert store.release("k", holder="h", token=token)
    assert not store.break_claim("k", token=token)
    assert len(store.records()) == 1
    store.close()
