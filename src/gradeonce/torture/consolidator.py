"""The consolidator of a torture: it stages predictions and merges batches, over and over, beside a rival."""

from __future__ import annotations

from pathlib import Path

from gradeonce.errors import GradeonceError, LeaseLost, UsageError
from gradeonce.load import LoadOptions
from gradeonce.staging import Staging, consolidate, write
from gradeonce.torture.actor import Actor
from gradeonce.torture.batches import batches_in_play, file_of, make_picks

CONSOLIDATES = 0.6
"""Share of turns that end with a consolidation: in the others rows pile up, and a rival takes them."""


class Consolidator(Actor):
    """One life of one consolidator: what it stages is `staging`, then `staged`; what it merges, `consolidated`."""

    def turn(self, turn: int) -> None:
        """Stage one write to a batch; mostly consolidate the batch then."""
        batch = self._chance.choice(batches_in_play(self._elapsed_seconds))
        staging = Staging(self._warehouse, self._settings(), self._leases, self._clock, self._on_step)
        self._reached = ""
        try:
            self._stage(staging, batch, f"{self._who}.{turn}")
            if self._chance.random() < CONSOLIDATES:
                self._consolidate(staging, batch)
        except UsageError as error:
            # A batch that nobody has staged anything for yet.
            self._give_up(batch, error, expected=True)
        except GradeonceError as error:
            # Held by the rival, lost, cut off: nothing of it is claimed, and the next turn goes on from what stands.
            self._give_up(batch, error, expected=error.is_transient or isinstance(error, LeaseLost))

    def _stage(self, staging: Staging, batch: str, name: str) -> None:
        picks = make_picks(batch, name, self._chance)
        rows = [[pick.name, pick.key, pick.created] for pick in picks]
        self._history.record("staging", run=name, batch=batch, rows=rows)
        file = Path(self._orders.folder) / f"{name}.csv"
        file.write_text(file_of(batch, picks), encoding="utf-8")
        report = write(staging, [file], batch=batch, worker=f"c{self._slot}", options=LoadOptions())
        file.unlink()
        self._history.record("staged", run=name, batch=batch, status=report.status)

    def _consolidate(self, staging: Staging, batch: str) -> None:
        self._history.record("consolidating", batch=batch)
        report = consolidate(staging, batch)
        self._history.record(
            "consolidated",
            batch=batch,
            run=report.load_id,
            status=report.status,
            staged=report.staged,
            rows=report.rows,
            known=report.known,
            outdone=report.outdone,
            outdated=report.outdated,
        )
