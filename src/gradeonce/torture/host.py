"""The host: the one process that starts, strikes and buries all others of a torture.

It is started by the judge in a session of its own, so that a Ctrl-C at the terminal reaches only the judge, and it
reads its orders from its standard input. It stands ready before the judge makes anything, and stays until the judge has
taken it away. When that input ends before, whoever started it is gone, however that happened: then it kills every
process, stopped ones too, removes whatever the torture made, and ends. Nothing is left behind.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from gradeonce.torture.actor import CONTROL_FILE, HISTORY_FILE
from gradeonce.torture.consolidator import Consolidator
from gradeonce.torture.control import Blow, Controls, without, write_controls
from gradeonce.torture.deduplicator import Deduplicator
from gradeonce.torture.history import Recorder
from gradeonce.torture.host_process import BEGIN, DONE, ENDED
from gradeonce.torture.orders import Orders
from gradeonce.torture.places import place_of
from gradeonce.torture.plan import Fault, make_plan
from gradeonce.torture.reader import read_over_and_over
from gradeonce.torture.worker import Worker

TICK_SECONDS = 0.01
REBIRTH_SECONDS = 0.1
ENDING_SECONDS = 45.0
"""How long, at a pace of 1, the processes may take to finish what they do: longer than any waits for a writer."""


@dataclass
class Life:
    """One process, as its host knows it.

    Attributes:
        who: Its name in the history.
        pid: 0 while it is dead.
        born: How many lives this worker has had.
        resume_at: When to wake it; None while it is not stopped.
        reborn_at: When to start its next life; None while it lives.
        blow: The kill or pause that is on its way; None without one.
        strike_at: When the blow strikes even if its step was not reached.
    """

    who: str
    pid: int = 0
    born: int = 0
    resume_at: float | None = None
    reborn_at: float | None = None
    blow: Fault | None = None
    strike_at: float | None = None


class Host:
    """Starts the processes, strikes them by plan, and sees them off."""

    def __init__(self, orders: Orders) -> None:
        self._folder = Path(orders.folder)
        self._orders = orders
        self._history = Recorder(self._folder / HISTORY_FILE, "nemesis")
        self._controls = Controls()
        self._workers = [Life(f"w{slot}") for slot in range(orders.actors)]
        self._readers = [Life(f"r{number}") for number in range(orders.readers)]
        self._helpers: list[Life] = []
        self._ends: list[tuple[float, Fault]] = []

    @property
    def _everybody(self) -> tuple[Life, ...]:
        return (*self._workers, *self._readers, *self._helpers)

    def run(self) -> bool:
        """Torture for as long as ordered. Return whether it came to its own end; False: the judge is gone."""
        self._set(self._controls)
        self._orders = replace(self._orders, began_at=time.monotonic())
        self._history.record("began", pid=os.getpid())
        for number, life in enumerate(self._readers):
            self._start(life, partial(read_over_and_over, self._orders, number))
        for slot in range(len(self._workers)):
            self._start_worker(slot)
        place = place_of(self._orders)
        plan = list(
            make_plan(
                self._orders.seed,
                seconds=self._orders.seconds,
                workers=self._orders.actors,
                kinds=self._orders.faults,
                lease_seconds=self._orders.lease_seconds,
                steps=lambda slot: place.steps(self._orders.role_of(slot)),
                pace=self._orders.pace,
            )
        )
        while (elapsed := time.monotonic() - self._orders.began_at) < self._orders.seconds:
            if _judge_is_gone():
                return False
            self._reap()
            while plan and plan[0].at_seconds <= elapsed:
                self._deal(plan.pop(0))
            self._keep_up()
        return self._end()

    def bury_everybody(self) -> None:
        """Kill every process that is left, and wait until it is gone."""
        for life in self._everybody:
            if life.pid:
                os.kill(life.pid, signal.SIGKILL)
                os.waitpid(life.pid, 0)
                life.pid = 0

    def _start_worker(self, slot: int) -> None:
        life = self._workers[slot]
        life.born += 1
        life.who = self._orders.name_of(slot, life.born)
        self._start(life, partial(_work, self._orders, slot, life.born))

    def _start(self, life: Life, job: Callable[[], None]) -> None:
        # A fork of this process: it has one thread and no connection, so nothing is shared but the imports.
        life.pid = os.fork()
        if life.pid == 0:
            _live(job, self._folder / f"{life.who}.crash")
        life.reborn_at = None
        self._history.record("started", process=life.who, pid=life.pid)

    def _set(self, controls: Controls) -> None:
        self._controls = controls
        write_controls(self._folder / CONTROL_FILE, controls)

    def _deal(self, fault: Fault) -> None:
        """Do what the plan says; a worker that is down already is spared."""
        if (
            fault.kind in ("flush", "cut")
            and not fault.step
            and (self._orders.store == "off" or self._orders.algorithm == "naive")
        ):
            # Nobody uses a lock store: what breaks nothing is not counted as a fault.
            return
        if fault.kind == "flush":
            # In a process of its own: it may have to wait for a worker that we stopped, and only we can wake.
            helper = Life(f"flush{fault.number}")
            self._helpers.append(helper)
            self._start(helper, partial(_flush, self._orders, fault.number))
            return
        if fault.kind in ("kill", "pause") or fault.step:
            self._aim(fault)
            return
        everybody = range(self._orders.actors)
        slots = list(everybody) if fault.slot is None else [fault.slot]
        if fault.kind == "cut":
            self._set(replace(self._controls, cuts={**self._controls.cuts, **dict.fromkeys(slots, fault.mode)}))
        else:
            skews = {**self._controls.skews, **dict.fromkeys(slots, fault.skew_seconds)}
            self._set(replace(self._controls, skews=skews))
        self._ends.append((time.monotonic() + fault.seconds, fault))
        self._history.record(
            "fault",
            fault=fault.kind,
            number=fault.number,
            workers=slots,
            seconds=round(fault.seconds, 3),
            skew_seconds=round(fault.skew_seconds, 3),
            mode=fault.mode,
        )

    def _aim(self, fault: Fault) -> None:
        count, wanted = len(self._workers), fault.slot or 0
        for slot in ((wanted + offset) % count for offset in range(count)):
            life = self._workers[slot]
            # Another role has other steps.
            is_fit = self._orders.role_of(slot) == self._orders.role_of(wanted)
            if is_fit and life.pid and life.resume_at is None and life.blow is None:
                life.blow = fault
                # One that waits for a step which does not come strikes wherever the worker is.
                life.strike_at = time.monotonic() + (self._orders.reach_seconds if fault.step else 0.0)
                if fault.step:
                    blow = Blow(fault.number, fault.kind, fault.step)
                    self._set(replace(self._controls, blows={**self._controls.blows, slot: blow}))
                return

    def _keep_up(self) -> None:
        """Strike, wake and start whatever is due; end cuts and skews that are over."""
        now = time.monotonic()
        for slot, life in enumerate(self._workers):
            if life.reborn_at is not None and life.reborn_at <= now:
                self._start_worker(slot)
            if life.resume_at is not None and life.resume_at <= now:
                self._wake(slot)
            if life.blow is not None and life.strike_at is not None and life.strike_at <= now:
                life.strike_at = None
                if life.blow.kind == "cut":
                    # Only the worker itself can do that; if it did, it has said so.
                    life.blow = None
                    self._set(without(self._controls, slot))
                    continue
                os.kill(life.pid, signal.SIGKILL if life.blow.kind == "kill" else signal.SIGSTOP)
        for ends_at, fault in list(self._ends):
            if ends_at <= now:
                self._ends.remove((ends_at, fault))
                self._heal(fault)

    def _heal(self, fault: Fault) -> None:
        # Where two faults of a kind overlap on a worker, the first to end ends both: nothing rests on their length.
        kept = {slot for slot in range(self._orders.actors) if fault.slot not in (None, slot)}
        if fault.kind == "cut":
            cuts = {slot: mode for slot, mode in self._controls.cuts.items() if slot in kept}
            self._set(replace(self._controls, cuts=cuts))
        else:
            skews = {slot: seconds for slot, seconds in self._controls.skews.items() if slot in kept}
            self._set(replace(self._controls, skews=skews))
        self._history.record("healed", fault=fault.kind, number=fault.number)

    def _wake(self, slot: int) -> None:
        life = self._workers[slot]
        life.resume_at = None
        self._history.record("woke", worker=slot)
        os.kill(life.pid, signal.SIGCONT)

    def _reap(self) -> None:
        """Take note of every process that stopped or ended."""
        for slot, life in enumerate(self._workers):
            if life.pid:
                pid, status = os.waitpid(life.pid, os.WNOHANG | os.WUNTRACED)
                if pid:
                    self._note(slot, life, status)
        for life in self._readers:
            if life.pid and os.waitpid(life.pid, os.WNOHANG)[0]:
                life.pid = 0
                self._tell_crash(life)
        for life in self._helpers:
            pid, status = os.waitpid(life.pid, os.WNOHANG)
            if pid:
                life.pid = 0
                if status:
                    self._tell_crash(life, status)
        self._helpers = [life for life in self._helpers if life.pid]

    def _note(self, slot: int, life: Life, status: int) -> None:
        # A blow that had to be dealt by the clock did not strike at the step it was meant for.
        step = life.blow.step if life.blow is not None and life.strike_at is not None else ""
        fault, life.blow, life.strike_at = life.blow, None, None
        if fault is not None:
            self._set(without(self._controls, slot))
        if os.WIFSTOPPED(status):
            seconds = fault.seconds if fault else 0.0
            life.resume_at = time.monotonic() + seconds
            if fault is not None:
                self._struck(slot, fault, step, seconds)
            return
        life.pid, life.resume_at = 0, None
        life.reborn_at = time.monotonic() + REBIRTH_SECONDS
        if os.WIFSIGNALED(status) and fault is not None and fault.kind == "kill":
            self._struck(slot, fault, step, 0.0)
        elif not self._controls.stopping:
            self._tell_crash(life, status)

    def _struck(self, slot: int, fault: Fault, step: str, seconds: float) -> None:
        self._history.record(
            "fault", fault=fault.kind, number=fault.number, workers=[slot], step=step, seconds=round(seconds, 3)
        )

    def _tell_crash(self, life: Life, status: int = 0) -> None:
        path = self._folder / f"{life.who}.crash"
        said = path.read_text(encoding="utf-8") if path.exists() else f"it ended with status {status}"
        self._history.record("crashed", process=life.who, error=said[-2000:])

    def _end(self) -> bool:
        """Let everybody finish; kill whoever does not."""
        self._set(Controls(stopping=True))
        self._history.record("ending")
        for slot, life in enumerate(self._workers):
            life.blow = None
            if life.pid and life.resume_at is not None:
                self._wake(slot)
        ending_seconds = ENDING_SECONDS * self._orders.pace
        give_up_at = time.monotonic() + ending_seconds
        while any(life.pid for life in self._everybody) and time.monotonic() < give_up_at:
            if _judge_is_gone():
                return False
            for life in self._everybody:
                if not life.pid:
                    continue
                pid, status = os.waitpid(life.pid, os.WNOHANG | os.WUNTRACED)
                if pid and os.WIFSTOPPED(status):
                    # A blow that was on its way landed after all.
                    os.kill(life.pid, signal.SIGCONT)
                elif pid:
                    life.pid = 0
                    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                        self._tell_crash(life, status)
        for life in self._everybody:
            if life.pid:
                self._history.record("crashed", process=life.who, error=f"did not end in {ending_seconds:.0f} s")
        self._history.record("ended")
        return True


def _work(orders: Orders, slot: int, life: int) -> None:
    role = {"w": Worker, "c": Consolidator, "d": Deduplicator}[orders.role_of(slot)]
    role(orders, slot, life).run()


def _flush(orders: Orders, number: int) -> None:
    """Make the lock store forget, and record it once it did."""
    place = place_of(orders)
    forgot = place.flush_leases()
    place.close()
    with Recorder(Path(orders.folder) / HISTORY_FILE, "nemesis") as history:
        history.record("fault", fault="flush", number=number, forgot=forgot)


def _judge_is_gone() -> bool:
    """Wait a tick. Return whether our standard input has ended."""
    ready, _, _ = select.select([sys.stdin], [], [], TICK_SECONDS)
    return bool(ready) and not os.read(sys.stdin.fileno(), 1)


def _live(job: Callable[[], None], last_words: Path) -> None:
    """Do the job in this new process, and end it here: it must never return into the host's code."""
    code = 0
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        job()
    except BaseException:  # noqa: BLE001 (whatever it is goes into the history as a crash)
        code = 1
        last_words.write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        os._exit(code)


def _next_line() -> bytes:
    """Wait for a line on standard input; empty: its end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            return b""
        line += byte
    return line


def main() -> int:
    """Run one torture by the orders on standard input."""
    given = _next_line()
    if not given:
        return 1
    orders = Orders.from_json(given.decode())
    # What a killed process leaves in its temporary folder goes with the scratch folder.
    tempfile.tempdir = orders.folder
    place_of(orders).warm_up()
    if orders.keepers:
        import gradeonce.loading.read  # noqa: F401 (for the consolidators, as above: they load files)
    host = Host(orders)
    is_done = False
    try:
        if _next_line() == BEGIN and host.run():
            host.bury_everybody()
            os.write(sys.stdout.fileno(), ENDED)
            # The judge looks at what stands, and takes it away.
            is_done = _next_line() == DONE
    finally:
        host.bury_everybody()
        if not is_done:
            place_of(orders).remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
