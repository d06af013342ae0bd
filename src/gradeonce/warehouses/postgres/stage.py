"""Staging in PostgreSQL: a temporary table inside the transaction that will publish it, made by the server itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradeonce.chain import Entry
from gradeonce.errors import PublishConflict, RefusedForSafety, WarehouseError
from gradeonce.model import Change, Copies, EntryDraft, Move, PartitionFacts, Query
from gradeonce.schema import REVISIONS, Column, ColumnType, Table
from gradeonce.statements import quote_identifier, quote_literal
from gradeonce.warehouses.base import OnStep, Params, Revised, Rows, StagedRows, staged_relation
from gradeonce.warehouses.postgres import belt, state
from gradeonce.warehouses.postgres.connection import Session
from gradeonce.warehouses.postgres.landing import send_file
from gradeonce.warehouses.postgres.rows import (
    facts,
    facts_of,
    hashed,
    json_of,
    partition_list,
    put,
    sql,
    text_of,
    typed,
)


class PostgresStage:
    """The staged rows of one run: they live and die with the transaction."""

    compares_texts = False

    def __init__(self, session: Session, table: Table, run_id: str, inputs: Sequence[Table]) -> None:
        self._session, self._table, self._run_id = session, table, run_id
        self._inputs = {table.name: table for table in inputs}
        self._compared: tuple[str, ...] = ()
        self._carries = False
        self._facts: list[PartitionFacts] | None = None
        self._derived: list[Table] = []
        self._read_at = ""

    def fill(self, query: Query, schema: str) -> None:
        """Run the query into the temporary table; its inputs are seen only as far as it asks for them."""
        scopes = []
        for name, partitions in query.inputs.items():
            table = self._inputs.get(name)
            if table is not None and partitions is not None:
                listed = ", ".join(_in_byte_order(column) for column in table.columns)
                scopes.append(
                    f"{quote_identifier(name)} AS NOT MATERIALIZED (SELECT {listed} "
                    f"FROM {quote_identifier(schema)}.{quote_identifier(name)} "
                    f"WHERE {quote_identifier(table.partition)} = ANY({partition_list(table, partitions)}))"
                )
        for name, (table, path) in query.files.items():
            send_file(self._session, name, table, path)
        scope = f"WITH {', '.join(scopes)} " if scopes else ""
        rows = typed(self._table, f"({scope}SELECT * FROM ({query.sql}) AS answer)")
        select = hashed(self._table, f"({rows})")
        self._read_at = state.read_at(self._session, query.inputs)
        self._session.execute(f"CREATE TEMP TABLE staged ON COMMIT DROP AS {select}", query.params)

    def facts(self) -> list[PartitionFacts]:
        """See `Stage.facts`."""
        if self._facts is None:
            self._facts = facts(self._session, self._table, "staged")
        return self._facts

    def facts_of(self, table: Table, relation: str) -> list[PartitionFacts]:
        """See `Stage.facts_of`."""
        return facts_of(self._session, table, relation)

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Stage.query`."""
        return self._session.query(sql, params)

    def key_json(self) -> str:
        """See `Stage.key_json`."""
        return json_of(self._table, self._table.key, "{0}")

    def derive(self, table: Table, sql: str) -> StagedRows:
        """See `Stage.derive`."""
        self._derived.append(table)
        relation = staged_relation(table)
        select = hashed(table, f"({typed(table, f'({sql})')})")
        self._session.execute(f"CREATE TEMP TABLE {relation} ON COMMIT DROP AS {select}")
        return StagedRows(relation, facts(self._session, table, relation))

    def compare(
        self, partitions: Sequence[str], *, reason_sql: str, copies: Copies = Copies.NONE
    ) -> dict[str, Revised]:
        """See `Stage.compare`."""
        self._compared, self._carries = tuple(partitions), copies is Copies.NONE
        table = self._table
        within = f"{quote_identifier(table.partition)} = ANY({partition_list(table, partitions)})"
        standing = f"(SELECT * FROM {quote_identifier(table.name)} WHERE {within})"
        self._session.execute(f"CREATE TEMP TABLE old ON COMMIT DROP AS {hashed(table, standing)}")
        select = self._revised_by_key(reason_sql, within) if self._carries else self._revised_by_row(reason_sql, within)
        self._session.execute(f"CREATE TEMP TABLE revisions ON COMMIT DROP AS {select}", {"run_id": self._run_id})
        counted = self._session.query(sql("revised"))
        return {partition: Revised(added, removed, changed) for partition, added, removed, changed in counted.rows}

    def _revised_by_key(self, reason_sql: str, within: str) -> str:
        table = self._table
        return sql(
            "revisions",
            partition=quote_identifier(table.partition),
            table=quote_literal(table.name),
            reason=reason_sql.replace("new.", "n.").replace("old.", "o."),
            key_json=json_of(table, table.key, "coalesce(n.{0}, o.{0})"),
            old_json=json_of(table, table.content, "o.{0}"),
            new_json=json_of(table, table.content, "n.{0}"),
            row_key=self._row_key,
            within=within,
        )

    def _revised_by_row(self, reason_sql: str, within: str) -> str:
        table = self._table
        return sql(
            "row_revisions",
            partition=quote_identifier(table.partition),
            table=quote_literal(table.name),
            reason=reason_sql,
            key_json=json_of(table, table.key, "d.{0}"),
            row_json=json_of(table, table.column_names, "d.{0}"),
            columns=", ".join(quote_identifier(name) for name in table.column_names),
            new=f"(SELECT * FROM staged WHERE {within})",
            old="old",
        )

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """See `Stage.commit`."""
        self._session.let_go_when_idle()
        on_step("commit.begun")
        if copies is not Copies.NONE:
            # Before any fence is held, so that whoever waits for the table's lock makes nobody wait for a fence.
            belt.hold(self._session, self._table)
        if copies is Copies.ALLOWED:
            belt.loosen(self._session, self._table)
        state.advance(self._session, moves, version=self._run_id)
        on_step("commit.fenced")
        replaced = _replaced(moves, self._table)
        if replaced:
            self._replace(sorted(replaced), on_step)
            self._verify(self._table, replaced)
        if copies is Copies.IN_PLACE:
            self._verify_in_place()
        if copies is Copies.REMOVED:
            belt.tighten(self._session, self._table)
        self._add_revisions()
        for table in self._derived:
            self._replace_derived(table, _replaced(moves, table))
        on_step("commit.pointed")
        appended = state.append(self._session, [self._by_our_clock(entry) for entry in entries])
        on_step("commit.ledgered")
        self._session.commit()
        on_step("commit.done")
        return appended

    def _by_our_clock(self, entry: EntryDraft) -> EntryDraft:
        # Loads carry the server's instants; when their rows were read must be told by the same clock.
        if "inputs_read_at" not in entry.details:
            return entry
        return replace(entry, details={**entry.details, "inputs_read_at": self._read_at})

    @property
    def _row_key(self) -> str:
        return text_of((self._table.partition, *self._table.key))

    def _replace(self, partitions: Sequence[str], on_step: OnStep) -> None:
        """Let the staged rows stand: where rows keep their stamps, only those that differ are written."""
        table, part = quote_identifier(self._table.name), quote_identifier(self._table.partition)
        columns = ", ".join(quote_identifier(name) for name in self._table.column_names)
        revised = self._compared if self._carries else ()
        whole = [partition for partition in partitions if partition not in revised]
        listed, of_revised = partition_list(self._table, whole), partition_list(self._table, revised)
        if whole:
            removed = self._session.execute(sql("remove", table=table, partition=part, partitions=listed))
            if self._table.key:
                # Without a key nothing was looked at, and any row may stand beside any other.
                self._verify_removed(removed, seen=bool(self._compared) and not self._carries)
        if revised:
            remove = sql("remove_revised", table=table, partition=part, partitions=of_revised, row_key=self._row_key)
            self._session.execute(remove)
        on_step("commit.removed")
        if whole:
            self._session.execute(put(self._table, whole, staged="staged"))
        if revised:
            self._session.execute(sql("put_revised", table=table, columns=columns))

    def _replace_derived(self, table: Table, replaced: dict[str, Move]) -> None:
        if not replaced:
            return
        name, part = quote_identifier(table.name), quote_identifier(table.partition)
        partitions = sorted(replaced)
        remove = sql("remove", table=name, partition=part, partitions=partition_list(table, partitions))
        self._session.execute(remove)
        self._session.execute(put(table, partitions, staged=staged_relation(table)))
        self._verify(table, replaced)

    def _verify(self, table: Table, replaced: dict[str, Move]) -> None:
        counted = sql(
            "counted",
            table=quote_identifier(table.name),
            partition=quote_identifier(table.partition),
            partitions=partition_list(table, sorted(replaced)),
        )
        standing = dict(self._session.query(counted).rows)
        for partition, move in replaced.items():
            if standing.get(partition, 0) != move.rows:
                raise WarehouseError(
                    f"{move.table} {partition} would hold {standing.get(partition, 0)} rows, not the {move.rows} that "
                    "were staged; the publish was taken back.",
                    hint="Somebody else writes to this table: run `gradeonce ledger verify --deep`.",
                )

    def _verify_removed(self, removed: int, *, seen: bool) -> None:
        # What goes must be what was looked at: a row that somebody else put there must not vanish unseen.
        known = self._session.query("SELECT count(*) FROM old").rows[0][0] if seen else 0
        if removed == known:
            return
        if not seen:
            raise RefusedForSafety(
                f"{removed} rows of {self._table.name} stand on these dates that gradeonce never published.",
                hint=f"Adopt them first, with `gradeonce adopt {self._table.name}`, or move them elsewhere.",
            )
        raise PublishConflict(
            f"{removed} rows of {self._table.name} stood where {known} were looked at: somebody else writes to it.",
            hint="Run the same command again.",
        )

    def _verify_in_place(self) -> None:
        # Nobody can write to the table any more: are the rows that were looked at still the rows that stand?
        found = {fact.partition: fact for fact in self.facts_of(self._table, quote_identifier(self._table.name))}
        for fact in self.facts():
            if found.get(fact.partition) != fact:
                raise PublishConflict(
                    f"Somebody else wrote to {self._table.name} {fact.partition} while we worked.",
                    hint="Run the same command again.",
                )

    def _add_revisions(self) -> None:
        if not self._compared:
            return
        rows = dict(self._session.query("SELECT partition, count(*) FROM revisions GROUP BY partition").rows)
        if not rows:
            return
        columns = ", ".join(quote_identifier(name) for name in REVISIONS.column_names)
        self._session.execute(sql("put_revisions", table=quote_identifier(REVISIONS.name), columns=columns))
        self._session.execute(
            state.sql("add_to_fences"),
            {
                "table": REVISIONS.name,
                "partitions": list(rows),
                "rows": list(rows.values()),
                "version": self._run_id,
            },
        )


def _replaced(moves: Sequence[Move], table: Table) -> dict[str, Move]:
    return {move.partition: move for move in moves if move.table == table.name and move.change is Change.REPLACE}


def _in_byte_order(column: Column) -> str:
    """Return a column of an input, texts in the order of their bytes: in the user's own table they may have another."""
    name = quote_identifier(column.name)
    return f'{name} COLLATE "C" AS {name}' if column.type is ColumnType.TEXT else name
