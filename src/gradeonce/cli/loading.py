"""`gradeonce load` and `gradeonce sources`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gradeonce.cli.main import open_from_context
from gradeonce.cli.output import SCHEMA_VERSION, emit_json, emit_table, number
from gradeonce.cli.reading_options import reading_options
from gradeonce.cli.waiting import waiting

if TYPE_CHECKING:
    from gradeonce.load import LoadOptions, LoadReport


@click.command()
@click.argument("kind", type=click.Choice(["predictions", "actuals", "injuries", "lines"]))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@reading_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def load(
    ctx: click.Context,
    kind: str,
    files: tuple[Path, ...],
    options: LoadOptions,
    as_json: bool,
) -> None:
    """Load FILES of one KIND into the book: all of them or, if a row is bad, none.

    \b
    gradeonce load actuals box_scores.csv --source nba_api.league_game_log
    gradeonce load lines board.csv.gz --source prizepicks.board
    gradeonce load predictions picks.parquet --line-from lines --derive-recommendation

    CSV, Parquet, JSON or JSON lines, plain or gzipped. The same content twice lands once.
    """
    with open_from_context(ctx) as book, waiting(f"loading {kind} from {named(files)}"):
        report = book.load(kind, files, options)
    if as_json:
        emit_json(load_document(report))
    else:
        for line in load_lines(report):
            click.echo(line)


def named(files: Sequence[Path]) -> str:
    """Return the files as a message names them: the first, and how many more."""
    return files[0].name + (f" and {len(files) - 1} more" if len(files) > 1 else "")


def load_document(report: LoadReport) -> dict[str, object]:
    """Return the report as the JSON object that is printed."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": report.kind,
        "status": report.status,
        "load_id": report.load_id,
        "files": list(report.files),
        "rows_read": report.rows_read,
        "rows": report.rows,
        "known": report.known,
        "repeated": report.repeated,
        "refused": dict(report.refused),
        "quarantined": report.quarantined,
        "partitions": list(report.partitions),
    }


def load_lines(report: LoadReport) -> list[str]:
    """Return the report as lines for a person."""
    if report.status == "already_loaded":
        return [f"{report.kind}: this content was loaded before ({report.load_id}); nothing landed"]
    dates = f" on {number(len(report.partitions))} date(s)" if report.partitions else ""
    span = f", {report.partitions[0]} to {report.partitions[-1]}" if report.partitions else ""
    lines = [f"{report.kind}: {number(report.rows)} rows landed{dates}{span} ({report.load_id})"]
    lines[0] += f"; {number(report.rows_read)} read"
    if report.status == "nothing_new":
        what = "nothing new" if report.known else "nothing landed"
        lines = [f"{report.kind}: {what}; {number(report.rows_read)} rows read"]
    if report.known:
        lines.append(f"  {number(report.known)} stood already, the very same")
    if report.repeated:
        lines.append(f"  {number(report.repeated)} repeat another row of the file")
    for reason, count in report.refused.items():
        lines.append(f"  {number(count)} set aside: {reason}")
    if report.quarantined:
        lines.append(f'  {number(report.quarantined)} bad rows in quarantine; gradeonce sql "FROM quarantined_rows"')
    return lines


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sources(name: str | None, as_json: bool) -> None:
    """List the file layouts that can be loaded by name; of one NAME, the mapping itself.

    \b
    gradeonce sources
    gradeonce sources nba_api.league_game_log
    """
    from gradeonce.errors import UsageError
    from gradeonce.sources import sources as all_sources

    listed = all_sources()
    if name is not None:
        found = next((source for source in listed if source.name == name), None)
        if found is None:
            raise UsageError(f"There is no source {name!r}.", hint="`gradeonce sources` lists them.")
        for variant in found.variants:
            click.echo(f"-- {variant.name}\n{variant.sql.strip()}\n")
        return
    if as_json:
        emit_json(
            {
                "schema_version": SCHEMA_VERSION,
                "sources": [
                    {
                        "name": source.name,
                        "kinds": list(source.kinds),
                        "about": source.description,
                        "layouts": [{"name": v.name, "needs": list(v.needs)} for v in source.variants],
                    }
                    for source in listed
                ],
            }
        )
        return
    emit_table(["source", "loads", "what it is"], [(s.name, ", ".join(s.kinds), s.description) for s in listed])
