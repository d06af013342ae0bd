"""`gradeonce locks`: who holds which lease."""

from __future__ import annotations

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table


@click.group()
def locks() -> None:
    """Show who holds which lease; release one that is stuck."""


@locks.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Also leases that were released or have run out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def list_locks(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """Show each lease: who holds it, since when, until when, and its fencing token.

    \b
    gradeonce locks list
    """
    with open_from_context(ctx) as book:
        records = [record for record in book.leases.records() if everything or record.is_held]
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "leases": [
                    {
                        "key": record.key,
                        "held": record.is_held,
                        "holder": record.holder,
                        "token": record.token,
                        "acquired_at": record.acquired_at,
                        "renewed_at": record.renewed_at,
                        "released_at": record.released_at,
                        "expires_in_seconds": round(record.expires_in_seconds, 3) if record.is_held else None,
                        "took_over": record.took_over,
                    }
                    for record in records
                ],
            }
        )
        return
    if not records:
        click.echo("no lease is held" if not everything else "no lease was ever taken")
        return
    emit_table(
        ["lease", "held", "holder", "token", "since (UTC)", "expires in"],
        [
            (
                record.key,
                "yes" if record.is_held else "no",
                record.holder,
                record.token,
                f"{record.acquired_at:%Y-%m-%d %H:%M:%S}",
                f"{record.expires_in_seconds:.0f} s" if record.is_held else "",
            )
            for record in records
        ],
        right=["token"],
    )


@locks.command()
@click.argument("key")
@click.option("--token", type=int, required=True, help="The token of the claim you break, from `locks list`.")
@click.option("--reason", default="", help="Why, for the ledger.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def release(ctx: click.Context, key: str, token: int, reason: str, as_json: bool) -> None:
    """Release a lease whose holder is certainly gone, e.g. grading/2026-01-17.

    \b
    gradeonce locks release grading/2026-01-17 --token 7 --reason "the laptop is gone"

    The token must be that of the claim you saw: if somebody else took the lease meanwhile, nothing happens. The
    former holder cannot publish any more once a successor has. A line in the ledger says who broke what.
    """
    with open_from_context(ctx) as book:
        broken = book.break_lease(key, token=token, reason=reason)
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "released": key, "token": token, "holder": broken})
    else:
        click.echo(f"released {key}, which {broken} held with token {token}; the ledger has a line about it")
