"""Staging in the book: rows are written to a Parquet file nobody reads, held against what stands, then pointed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradeonce.chain import Entry, content_hash
from gradeonce.errors import LeaseLost, PublishConflict, WarehouseError
from gradeonce.model import Change, Copies, EntryDraft, Move, PartitionFacts, Query
from gradeonce.schema import REVISIONS, Table
from gradeonce.statements import quote_identifier, quote_literal, statement
from gradeonce.warehouses.base import OnStep, Params, Revised, Rows, StagedRows, staged_relation
from gradeonce.warehouses.embedded.catalog import Catalog, WrittenFile
from gradeonce.warehouses.embedded.files import (
    ROWS_FOLDER,
    STAGING_FOLDER,
    copy_to_parquet,
    make_durable,
    unique_name,
)
from gradeonce.warehouses.embedded.snapshot import fetch, in_partitions, relation
from gradeonce.warehouses.engine import DUCKDB_TYPES, run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from gradeonce.clock import Clock


class EmbeddedStage:
    """The staged rows of one run. Files that were not committed are removed by whoever opened the stage."""

    compares_texts = True

    def __init__(
        self,
        engine: DuckDBPyConnection,
        catalog: Catalog,
        folder: Path,
        table: Table,
        run_id: str,
        clock: Clock,
        last_at: str,
    ) -> None:
        self._engine, self._catalog, self._folder, self._last_at = engine, catalog, folder, last_at
        self._table, self._run_id, self._clock = table, run_id, clock
        self._name = unique_name(run_id)
        self._staged = folder / STAGING_FOLDER / f"{self._name}.parquet"
        self._revisions = folder / STAGING_FOLDER / f"{self._name}.revisions.parquet"
        self._compared: tuple[str, ...] = ()
        self._carries = False
        self._facts: list[PartitionFacts] | None = None
        self._derived: list[_DerivedFile] = []

    @property
    def paths(self) -> tuple[Path, ...]:
        """Files this stage may leave behind."""
        return (self._staged, self._revisions, self._carried, *(derived.path for derived in self._derived))

    @property
    def _carried(self) -> Path:
        return self._staged.with_suffix(".carried.parquet")

    def fill(self, query: Query) -> None:
        """Run the query into the staging file, sorted by partition, in the types that the table declares.

        Files of one table are read together, and the engine reads all of them in the types of the first: a 1.5 beside
        a whole-number column would come back as 2.
        """
        for name, (table, path) in query.files.items():
            columns = ", ".join(quote_identifier(column) for column in table.column_names)
            select = f"SELECT {columns} FROM read_parquet({quote_literal(str(path))})"
            run(self._engine, f"CREATE OR REPLACE TEMP VIEW {quote_identifier(name)} AS {select}")
        copy_to_parquet(self._engine, _typed(self._table, query.sql), self._staged, query.params)
        run(
            self._engine,
            f"CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM read_parquet({quote_literal(str(self._staged))})",
        )

    def facts(self) -> list[PartitionFacts]:
        """See `Stage.facts`."""
        if self._facts is None:
            self._facts = relation_facts(self._engine, self._table, "staged")
        return self._facts

    def facts_of(self, table: Table, relation: str) -> list[PartitionFacts]:
        """See `Stage.facts_of`."""
        return relation_facts(self._engine, table, relation)

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Stage.query`."""
        return fetch(self._engine, sql, params)

    def key_json(self) -> str:
        """See `Stage.key_json`."""
        return f"CAST(to_json({_struct(self._table.key, '{0}')}) AS VARCHAR)"

    def derive(self, table: Table, sql: str) -> StagedRows:
        """See `Stage.derive`."""
        derived = _DerivedFile(table, self._staged.with_suffix(f".{table.name}.parquet"))
        self._derived.append(derived)
        # A table first: what follows is small, and it may have to be written without some of its partitions.
        relation = staged_relation(table)
        run(self._engine, f"CREATE OR REPLACE TEMP TABLE {relation} AS {_typed(table, sql)}")
        return StagedRows(relation, relation_facts(self._engine, table, relation))

    def compare(
        self, partitions: Sequence[str], *, reason_sql: str, copies: Copies = Copies.NONE
    ) -> dict[str, Revised]:
        """See `Stage.compare`."""
        self._compared, self._carries = tuple(partitions), copies is Copies.NONE
        segments = self._catalog.live_segments([self._table.name])[self._table.name]
        old = relation(self._table, segments, self._folder, partitions=partitions)
        run(self._engine, f"CREATE OR REPLACE TEMP TABLE old AS {old}")
        run(
            self._engine,
            f"CREATE OR REPLACE TEMP VIEW new AS SELECT * FROM staged WHERE {in_partitions(self._table, partitions)}",
        )
        select = self._revised_by_key(reason_sql) if self._carries else self._revised_by_row(reason_sql)
        now = self._clock.now().replace(tzinfo=None)
        copy_to_parquet(self._engine, select, self._revisions, {"run_id": self._run_id, "revised_at": now})
        written = f"SELECT * FROM read_parquet({quote_literal(str(self._revisions))})"
        run(self._engine, f"CREATE OR REPLACE TEMP VIEW revisions AS {written}")
        counted = self.query(
            "SELECT partition, count(*) FILTER (WHERE change = 'added'), count(*) FILTER (WHERE change = 'removed'), "
            "count(*) FILTER (WHERE change = 'changed') FROM revisions GROUP BY partition"
        )
        return {partition: Revised(added, removed, changed) for partition, added, removed, changed in counted.rows}

    def _revised_by_key(self, reason_sql: str) -> str:
        part = quote_identifier(self._table.partition)
        return statement(
            __package__,
            "rows.sql",
            "revisions",
            partition=f"coalesce(n.{part}, o.{part})",
            table=quote_literal(self._table.name),
            reason=reason_sql.replace("new.", "n.").replace("old.", "o."),
            key_struct=_struct(self._table.key, "coalesce(n.{0}, o.{0})"),
            old_struct=_struct(self._table.content, "o.{0}"),
            new_struct=_struct(self._table.content, "n.{0}"),
            new="new",
            old="old",
            same_key=self._same_key(),
            differs=self._differs(),
        )

    def _revised_by_row(self, reason_sql: str) -> str:
        return statement(
            __package__,
            "rows.sql",
            "row_revisions",
            partition=quote_identifier(self._table.partition),
            table=quote_literal(self._table.name),
            reason=reason_sql,
            key_struct=_struct(self._table.key, "d.{0}"),
            row_struct=_struct(self._table.column_names, "d.{0}"),
            columns=", ".join(quote_identifier(name) for name in self._table.column_names),
            new="new",
            old="old",
        )

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """See `Stage.commit`. Files refuse no copies, so there is nothing to let in; the kernel keeps them out."""
        files = self._seal(moves, on_step)
        all_moves = [*moves, *self._revision_moves(files)]
        checksums = {file.path: file.sha256 for file in files}
        covered = [replace(entry, details=self._details(entry, checksums)) for entry in entries]
        try:
            return self._catalog.commit(all_moves, files, covered, version=self._run_id, on_step=on_step)
        except (LeaseLost, PublishConflict):
            # Refused for certain, so nobody points at these files. After any other error they wait for collection.
            for file in files:
                (self._folder / file.path).unlink(missing_ok=True)
            raise

    def _details(self, entry: EntryDraft, checksums: Mapping[str, str]) -> dict[str, Any]:
        """Return the details of an entry with the files. Any: plain JSON values.

        What was read is all that the ledger told of by then: whatever has a later instant was not seen. Our own clock
        would not tell: a load takes its instant before others see it.
        """
        read_at = {"inputs_read_at": self._last_at} if "inputs_read_at" in entry.details else {}
        return {**entry.details, **read_at, "files": dict(checksums)}

    def _seal(self, moves: Sequence[Move], on_step: OnStep) -> list[WrittenFile]:
        """Put the rows to publish into their final files; nobody points at them yet."""
        replaced = _replaced(moves, self._table)
        files = []
        if any(move.rows for move in replaced.values()):
            path = self._staged
            if self._carries or {fact.partition for fact in self.facts()} != set(replaced):
                path = self._carry_stamps(sorted(replaced))
            on_step("seal.written")
            rows = {partition: move.rows for partition, move in replaced.items() if move.rows}
            files.append(
                seal_file(self._engine, self._folder, self._table, path, f"{self._name}.parquet", rows, on_step)
            )
        if self._compared and self._revisions.exists():
            rows = dict(self.query("SELECT partition, count(*) FROM revisions GROUP BY partition").rows)
            if rows:
                name = f"{self._name}.parquet"
                files.append(seal_file(self._engine, self._folder, REVISIONS, self._revisions, name, rows, on_step))
        for derived in self._derived:
            rows = {partition: move.rows for partition, move in _replaced(moves, derived.table).items() if move.rows}
            if rows:
                files.append(self._seal_derived(derived, rows, on_step))
        return files

    def _seal_derived(self, derived: _DerivedFile, rows: dict[str, int], on_step: OnStep) -> WrittenFile:
        table, part = derived.table, quote_identifier(derived.table.partition)
        relation = staged_relation(table)
        select = f"SELECT * FROM {relation} WHERE {in_partitions(table, sorted(rows))} ORDER BY {part}"
        copy_to_parquet(self._engine, select, derived.path)
        return seal_file(self._engine, self._folder, table, derived.path, f"{self._name}.parquet", rows, on_step)

    def _carry_stamps(self, partitions: Sequence[str]) -> Path:
        columns = []
        for name in self._table.column_names:
            quoted = quote_identifier(name)
            # o.<partition> is null exactly where no unchanged old row was found.
            carried = (
                f"CASE WHEN o.{quote_identifier(self._table.partition)} IS NULL THEN n.{quoted} ELSE o.{quoted} END"
            )
            columns.append(f"{carried} AS {quoted}" if name in self._table.stamps else f"n.{quoted} AS {quoted}")
        new = f"(SELECT * FROM staged WHERE {in_partitions(self._table, partitions)})"
        if self._carries:
            select = statement(
                __package__,
                "rows.sql",
                "carried",
                columns=", ".join(columns),
                new=new,
                old="old",
                same_key=self._same_key(),
                differs=self._differs(),
            )
        else:
            select = f"SELECT * FROM {new}"
        part = quote_identifier(self._table.partition)
        copy_to_parquet(self._engine, f"SELECT * FROM ({select}) ORDER BY {part}", self._carried)
        before = {fact.partition: fact for fact in self.facts() if fact.partition in partitions}
        after = relation_facts(self._engine, self._table, f"read_parquet({quote_literal(str(self._carried))})")
        if before != {fact.partition: fact for fact in after}:
            raise WarehouseError("The rows to publish are not the rows that were staged.", hint="Please report this.")
        return self._carried

    def _revision_moves(self, files: Sequence[WrittenFile]) -> list[Move]:
        written = next((file for file in files if file.table == REVISIONS.name), None)
        if written is None:
            return []
        fences = self._catalog.fences(REVISIONS, list(written.rows))
        return [
            Move(
                table=REVISIONS.name,
                partition=partition,
                change=Change.APPEND,
                token=None,
                base_seq=fences[partition].seq,
                rows=fences[partition].rows + rows,
                content_hash="",
            )
            for partition, rows in written.rows.items()
        ]

    def _same_key(self) -> str:
        return " AND ".join(
            f"n.{quoted} IS NOT DISTINCT FROM o.{quoted}"
            for quoted in map(quote_identifier, (self._table.partition, *self._table.key))
        )

    def _differs(self) -> str:
        values = [name for name in self._table.content if name not in self._table.key]
        new = ", ".join(f"n.{quote_identifier(name)}" for name in values)
        old = ", ".join(f"o.{quote_identifier(name)}" for name in values)
        return f"row({new}) IS DISTINCT FROM row({old})"


@dataclass(frozen=True)
class _DerivedFile:
    table: Table
    path: Path


def _replaced(moves: Sequence[Move], table: Table) -> dict[str, Move]:
    return {move.partition: move for move in moves if move.table == table.name and move.change is Change.REPLACE}


def _typed(table: Table, sql: str) -> str:
    """Return the SELECT of a query's rows in the types that the table declares, sorted by partition."""
    columns = ", ".join(
        f"CAST(made.{quote_identifier(c.name)} AS {DUCKDB_TYPES[c.type]}) AS {quote_identifier(c.name)}"
        for c in table.columns
    )
    return f"SELECT {columns} FROM ({sql}) made ORDER BY {quote_identifier(table.partition)}"


def seal_file(
    engine: DuckDBPyConnection,
    folder: Path,
    table: Table,
    path: Path,
    name: str,
    rows: dict[str, int],
    on_step: OnStep,
) -> WrittenFile:
    """Make a finished file durable under its final name and describe it for the catalog."""
    values = [
        (column, value, partition)
        for column in table.indexed
        for value, partition in fetch(
            engine,
            statement(
                __package__,
                "rows.sql",
                "values",
                column=quote_identifier(column),
                partition=quote_identifier(table.partition),
                relation=f"read_parquet({quote_literal(str(path))})",
            ),
        ).rows
    ]
    relative = Path(ROWS_FOLDER) / table.name / name
    size, sha256 = make_durable(path, folder / relative)
    on_step(f"seal.{table.name}")
    return WrittenFile(table.name, relative.as_posix(), size, sha256, rows, values)


def relation_facts(engine: DuckDBPyConnection, table: Table, name: str) -> list[PartitionFacts]:
    """Return rows and content hash per partition of any relation with the table's columns."""
    counted = fetch(
        engine,
        statement(
            __package__,
            "rows.sql",
            "facts",
            partition=quote_identifier(table.partition),
            row_text=row_text(table),
            relation=name,
        ),
    )
    return [PartitionFacts(partition, rows, content_hash(low, high)) for partition, rows, low, high in counted.rows]


def row_text(table: Table) -> str:
    """Return the SQL of the text that stands for a row's content."""
    values = ", ".join(f"coalesce(CAST({quote_identifier(name)} AS VARCHAR), chr(30))" for name in table.content)
    return statement(__package__, "rows.sql", "row_hash_text", values=values)


def _struct(names: Sequence[str], pattern: str) -> str:
    fields = ", ".join(f"{quote_identifier(name)} := {pattern.format(quote_identifier(name))}" for name in names)
    return f"struct_pack({fields})"
