"""`gradeonce ledger`: the hash chain, and the data under it."""

from __future__ import annotations

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, number
from gradeonce.cli.waiting import waiting


@click.group()
def ledger() -> None:
    """Verify the hash chain and the data under it; show its head."""


@ledger.command()
@click.option("--deep", is_flag=True, help="Hash every row again, not only every file.")
@click.option("--head", metavar="HASH", help="A hash you published or wrote down: the chain must contain it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(ctx: click.Context, deep: bool, head: str | None, as_json: bool) -> None:
    """Check that nothing was added, changed or dropped since it was written.

    \b
    gradeonce ledger verify
    gradeonce ledger verify --deep

    The chain covers every load and every grading; each entry covers the checksums of its files, the rows that stood
    afterwards, and the entry before it. Compare the head with one that you published to detect a chain that was
    rewritten as a whole.
    """
    from gradeonce.ledger import verify as verify_ledger

    with open_from_context(ctx) as book, waiting("verifying the ledger"):
        proof = verify_ledger(book.warehouse, deep=deep, head=head)
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "holds": True,
                "entries": proof.entries,
                "head": proof.head,
                "head_at": proof.head_at,
                "partitions": proof.partitions,
                "deep": proof.deep,
            }
        )
        return
    if not proof.entries:
        click.echo("the ledger is empty: nothing was loaded or graded yet")
        return
    how = "every row hashed again" if proof.deep else "every file checked by its bytes"
    click.echo(f"the ledger holds: {number(proof.entries)} entries, {number(proof.partitions)} partitions, {how}")
    click.echo(f"head {proof.head} at {proof.head_at}")


@ledger.command(name="head")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def show_head(ctx: click.Context, as_json: bool) -> None:
    """Print the hash of the latest entry. Publish it, and nobody can rewrite what came before unnoticed.

    \b
    gradeonce ledger head
    """
    with open_from_context(ctx) as book:
        found = book.sql('SELECT number, "at", entry_hash FROM ledger ORDER BY number DESC LIMIT 1').dicts()
    if as_json:
        emit_json({"schema_version": SCHEMA_VERSION, "head": found[0] if found else None})
    elif found:
        click.echo(f"{found[0]['entry_hash']} (entry {found[0]['number']}, {found[0]['at']})")
    else:
        click.echo("the ledger is empty: nothing was loaded or graded yet")
