"""Why a commit is refused, in the same words on every warehouse."""

from __future__ import annotations

from gradeonce.errors import LeaseLost, PublishConflict, RefusedForSafety
from gradeonce.model import Fence, Move
from gradeonce.schema import Table
from gradeonce.warehouses.definitions import definition


def refused(move: Move, fence: Fence) -> LeaseLost | PublishConflict:
    """Return why a move is refused by the fence as it stands."""
    if move.token is not None and fence.token > move.token:
        return LeaseLost(
            f"{move.table}/{move.partition}",
            token=move.token,
            reason="superseded",
            detail=f"The fence of {move.table} {move.partition} has accepted token {fence.token} since.",
        )
    return PublishConflict(
        f"{move.table} {move.partition} moved from version {move.base_seq} to {fence.seq} while we worked.",
        hint="Run the same command again.",
    )


def refuse_other_columns(table: Table, remembered: str) -> None:
    """Raise if the table that is remembered under that name is another: old and new rows could not be read together.

    Args:
        table: As it is to be written.
        remembered: Its definition as text, as the warehouse has it.

    Raises:
        RefusedForSafety: If columns, key or stamps differ.
    """
    if remembered != definition(table):
        raise RefusedForSafety(
            f"A table {table.name} with other columns, key or stamps stands in this book already.",
            hint="Publish it under another name.",
        )
