"""What a lease store must do beside that if several processes share it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

from gradeonce.leases import LeaseStore, acquire
from gradeonce.testing.lease_store import KEY, LONGEST_SECONDS, LeaseStoreConformance


class SharedLeaseStoreConformance(LeaseStoreConformance):
    """The same, and what a store must do that several processes share.

    Attributes:
        turns: How often each of the processes takes the lease.
        processes: How many processes there are.
    """

    processes = 4
    turns = 10

    def opener(self, folder: Path) -> Callable[[], LeaseStore]:
        """Return what opens a client, on the machine's clock, in a process of its own; it must be picklable."""
        raise NotImplementedError

    def test_processes_take_turns_and_all_are_served(self, tmp_path: Path) -> None:
        """Each process gets the lease as often as it asks, never two at once, and no token twice."""
        take = partial(_take_turns, self.opener(tmp_path), tmp_path / "inside", self.turns)
        # New interpreters: a fork would copy connections and locks of this one.
        with ProcessPoolExecutor(self.processes, multiprocessing.get_context("spawn")) as pool:
            told = [
                asked.result(timeout=2 * LONGEST_SECONDS)
                for asked in [pool.submit(take) for _ in range(self.processes)]
            ]

        assert all(tokens == sorted(tokens) for tokens in told)
        assert sorted(token for tokens in told for token in tokens) == list(range(1, self.processes * self.turns + 1))


def _take_turns(opener: Callable[[], LeaseStore], witness: Path, turns: int) -> list[int]:
    # The witness is a file that only one process at a time can make.
    tokens = []
    with closing(opener()) as store:
        for _ in range(turns):
            with acquire(store, KEY, ttl_seconds=30, wait_seconds=LONGEST_SECONDS) as lease:
                witness.touch(exist_ok=False)
                tokens.append(lease.token)
                witness.unlink()
    return tokens
