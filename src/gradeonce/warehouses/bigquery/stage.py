"""Staging in BigQuery: tables named by the run, which expire by themselves, published by one script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from gradeonce.chain import Entry
from gradeonce.clock import Clock
from gradeonce.model import Change, Copies, EntryDraft, Move, PartitionFacts, Query
from gradeonce.schema import REVISIONS, Table
from gradeonce.warehouses.base import OnStep, Params, Revised, Rows, StagedRows, staged_relation
from gradeonce.warehouses.bigquery import state
from gradeonce.warehouses.bigquery.connection import STAGING, Connection, Cost, expiring
from gradeonce.warehouses.bigquery.estimate import scopes_of
from gradeonce.warehouses.bigquery.landing import send_file
from gradeonce.warehouses.bigquery.mapped import Held, held, own_name
from gradeonce.warehouses.bigquery.rows import (
    columns_of,
    facts,
    facts_of,
    facts_sql,
    identified,
    json_of,
    literal,
    only_word,
    quoted,
    scoped,
    sql,
    text_of,
    typed,
    within,
)
from gradeonce.warehouses.bigquery.spelling import spelled


class BigQueryStage:
    """The staged rows of one run, in tables of their own; whoever opened the stage drops them at the end."""

    compares_texts = False

    def __init__(
        self, connection: Connection, clock: Clock, table: Table, run_id: str, inputs: dict[str, Table], unique: str
    ) -> None:
        self._connection, self._clock, self._table, self._run_id = connection, clock, table, run_id
        self._inputs = inputs
        self._scopes: dict[str, str] = {}
        self._name = f"{STAGING}{only_word(run_id)}_{unique}"
        self._made: list[str] = []
        self._compared: tuple[str, ...] = ()
        self._carries = False
        self._old = ""
        self._facts: list[PartitionFacts] = []
        self._derived: list[Table] = []
        self._read_at = ""

    @property
    def made(self) -> Sequence[str]:
        """The tables that were made."""
        return self._made

    def fill(self, query: Query) -> None:
        """Run the query into the staging table; its inputs are seen only as far as it asks for them."""
        self._scopes |= scopes_of(self._connection, query, self._inputs)
        for name, (table, path) in query.files.items():
            sent = f"{self._name}_{name}"
            self._made.append(sent)
            send_file(self._connection, table, path, sent)
            self._scopes[name] = f"SELECT {columns_of(table)} FROM {self._own(sent)}"
        answer = scoped(spelled(query.sql, query.params), self._scopes)
        rows_sql = typed(self._table, f"({answer})")
        select = identified(self._table, f"({rows_sql})", key=(self._table.partition, *self._table.key))
        is_told = not any(held(self._connection, self._inputs[name]).is_external for name in self._read(query))
        script = [
            state.sql("declare_last_at" if is_told else "declare_read_at"),
            self._making("rows", select),
            sql("staged_facts", facts=facts_sql(self._table, self._own(self._staged))),
        ]
        found = self._connection.query_of_a_caller(state.as_script(script), query.params, judged=select).rows
        self._read_at = found[0][0]
        self._facts = facts_of(row[1:] for row in found if row[1] is not None)
        self._scopes["staged"] = f"SELECT * FROM {self._own(self._staged)}"

    def _read(self, query: Query) -> list[str]:
        return [name for name in query.inputs if name in self._inputs]

    def facts(self) -> list[PartitionFacts]:
        """See `Stage.facts`."""
        return self._facts

    def facts_of(self, table: Table, relation: str) -> list[PartitionFacts]:
        """See `Stage.facts_of`."""
        rows = scoped(spelled(f"SELECT * FROM {relation}"), self._scopes | self._standing(table, relation))
        select = identified(table, f"({rows})", key=(), columns=(table.partition,))
        return facts(self._connection, table, f"({select})")

    def query(self, sql: str, params: Params | None = None) -> Rows:
        """See `Stage.query`."""
        text = scoped(spelled(sql, params), self._scopes)
        return self._connection.query(text, params, ours=False)

    def key_json(self) -> str:
        """See `Stage.key_json`."""
        return json_of(self._table, self._table.key, "{0}")

    def derive(self, table: Table, sql: str) -> StagedRows:
        """See `Stage.derive`."""
        self._derived.append(table)
        rows_sql = typed(table, f"({scoped(spelled(sql), self._scopes)})")
        select = identified(table, f"({rows_sql})", key=(table.partition, *table.key))
        own = self._own(f"{self._name}_{table.name}")
        script = state.as_script([self._making(table.name, select), facts_sql(table, own)])
        found = facts_of(self._connection.query(script, ours=False).rows)
        self._scopes[f"staged_{table.name}"] = f"SELECT * FROM {own}"
        return StagedRows(staged_relation(table), found)

    def compare(
        self, partitions: Sequence[str], *, reason_sql: str, copies: Copies = Copies.NONE
    ) -> dict[str, Revised]:
        """See `Stage.compare`."""
        self._compared, self._carries = tuple(partitions), copies is Copies.NONE
        table = self._table
        standing = f"({self._held(table).rows(partitions)})"
        self._old = f"{self._name}_old"
        old, made = self._own(self._old), self._own(f"{self._name}_revisions")
        new = f"(SELECT * FROM {self._own(self._staged)} WHERE {within(table, partitions)})"
        select = self._revised_by_key(reason_sql, new) if self._carries else self._revised_by_row(reason_sql, new)
        script = [
            self._making("old", identified(table, standing, key=(table.partition, *table.key))),
            self._making("revisions", select),
            sql("revised", revisions=made),
        ]
        counted = self._connection.query(state.as_script(script), {"run_id": self._run_id}, ours=False)
        self._scopes |= {"old": f"SELECT * FROM {old}", "revisions": f"SELECT * FROM {made}"}
        return {partition: Revised(added, removed, changed) for partition, added, removed, changed in counted.rows}

    def _revised_by_key(self, reason_sql: str, new: str) -> str:
        table = self._table
        return sql(
            "revisions",
            partition=quoted(table.partition),
            table=literal(table.name),
            reason=spelled(re.sub(r"\bnew\.", "n.", re.sub(r"\bold\.", "o.", reason_sql))),
            key_json=json_of(table, table.key, "COALESCE(n.{0}, o.{0})"),
            old_json=json_of(table, table.content, "o.{0}"),
            new_json=json_of(table, table.content, "n.{0}"),
            new=new,
            old=self._own(self._old),
        )

    def _revised_by_row(self, reason_sql: str, new: str) -> str:
        table = self._table
        return sql(
            "row_revisions",
            partition=quoted(table.partition),
            table=literal(table.name),
            reason=spelled(reason_sql),
            key_json=json_of(table, table.key, "d.{0}"),
            row_json=json_of(table, table.column_names, "d.{0}"),
            row_text=text_of(table.columns),
            new=new,
            old=self._own(self._old),
        )

    def commit(
        self, moves: Sequence[Move], entries: Sequence[EntryDraft], *, copies: Copies = Copies.NONE, on_step: OnStep
    ) -> list[Entry]:
        """See `Stage.commit`. The server does all of it in one script: every step but the last is before it is sent."""
        if copies is not Copies.NONE:
            self._let_nulls_in()
        state.before_commit(on_step)
        texts = self._replace(self._table, moves, self._staged, carries=self._carries)
        if copies is Copies.IN_PLACE:
            texts += self._verify_in_place(moves)
        for table in self._derived:
            texts += self._replace(table, moves, f"{self._name}_{table.name}", carries=False)
        texts += self._counted(moves)
        texts += self._add_revisions()
        drafts = [self._by_server_clock(entry) for entry in entries]
        links = state.Commit(self._run_id, moves, drafts, texts).run(self._connection, self._clock)
        # What is billed from here on is the next run's.
        self._connection.cost = Cost()
        on_step("commit.done")
        return links

    def _let_nulls_in(self) -> None:
        """Let columns hold nulls that must hold none in our own rows, where rows that stood before have some.

        It is done before the transaction, which can change no table; ours are looked at before they are committed.
        """
        names = [name for name in self._table.required if name != self._table.partition]
        if not names:
            return
        counts = ", ".join(f"COUNTIF({quoted(name)} IS NULL)" for name in names)
        counted = self._connection.query(f"SELECT {counts} FROM {self._own(self._staged)}", ours=False).rows[0]
        place = self._held(self._table)
        with_nulls = {place.columns.get(name, name) for name, n in zip(names, counted, strict=True) if n}
        found = self._connection.table(place.name.replace("`", "")) if with_nulls else None
        texts = [
            f"ALTER TABLE {place.name} ALTER COLUMN {quoted(field.name)} DROP NOT NULL"
            for field in (found.schema if found else ())
            if field.name in with_nulls and field.mode == "REQUIRED"
        ]
        if texts:
            self._connection.execute(state.as_script(texts))

    @property
    def _staged(self) -> str:
        return f"{self._name}_rows"

    def _own(self, name: str) -> str:
        return own_name(self._connection, name)

    def _held(self, table: Table) -> Held:
        return held(self._connection, table)

    def _making(self, what: str, select: str) -> str:
        """Return what makes one of our tables, which from now on is to be dropped at the end."""
        name = f"{self._name}_{what}"
        self._made.append(name)
        return f"CREATE TABLE {self._own(name)} OPTIONS ({expiring()}) AS {select}"

    def _replace(self, table: Table, moves: Sequence[Move], staged: str, *, carries: bool) -> list[str]:
        partitions = _replaced(table, moves)
        if not partitions:
            return []
        place = self._held(table)
        if carries:
            values = ", ".join(_carried(name, name in table.stamps) for name in table.column_names)
            put = sql(
                "put_carried",
                table=place.name,
                columns=place.listed,
                values=values,
                staged=self._own(staged),
                old=self._own(self._old),
                within=within(table, partitions, of="n."),
            )
        else:
            put = sql(
                "put",
                table=place.name,
                into=place.listed,
                columns=columns_of(table),
                staged=self._own(staged),
                within=within(table, partitions),
            )
        seen = []
        if table is self._table and self._compared and not carries:
            # What goes must be what was looked at: nobody but us may have put a row there that would now vanish.
            seen = [
                f"IF @@row_count <> (SELECT COUNT(*) FROM {self._own(self._old)}) "
                "THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were staged'; END IF"
            ]
        return [f"DELETE FROM {place.name} WHERE {place.within(partitions)}", *seen, put]

    def _counted(self, moves: Sequence[Move]) -> list[str]:
        """Return what counts the rows that now stand."""
        standing = [
            state.sql(
                "standing",
                rows=self._held(table).rows(partitions),
                partition=quoted(table.partition),
                name=literal(table.name),
            )
            for table in (self._table, *self._derived)
            if (partitions := _replaced(table, moves))
        ]
        return [state.sql("counted", standing=" UNION ALL ".join(standing))] if standing else []

    def _verify_in_place(self, moves: Sequence[Move]) -> list[str]:
        """Return what sees that the rows that were looked at are still the rows that stand."""
        table = self._table
        partitions = sorted(move.partition for move in moves if move.table == table.name)
        standing = self._held(table).rows(partitions)
        select = identified(table, f"({standing})", key=(), columns=(table.partition,))
        sums = sql("row_sums", relation=f"({select})")
        staged = sql("row_sums", relation=self._own(self._staged))
        return [
            f"IF ({sums}) <> ({staged}) "
            "THEN RAISE USING MESSAGE = 'gradeonce: other rows stand than were staged'; END IF"
        ]

    def _standing(self, table: Table, relation: str) -> dict[str, str]:
        """Return the standing rows of the run's table, if they are what is asked for."""
        if relation.strip('"') != table.name or table.name in self._scopes:
            return {}
        return {table.name: self._held(table).rows()}

    def _add_revisions(self) -> list[str]:
        if not self._compared:
            return []
        made = self._own(f"{self._name}_revisions")
        place = self._held(REVISIONS)
        return [
            f"INSERT INTO {place.name} ({place.listed}) SELECT {columns_of(REVISIONS)} FROM {made}",
            state.sql("add_to_fences", revisions=made, table=literal(REVISIONS.name)),
        ]

    def _by_server_clock(self, entry: EntryDraft) -> EntryDraft:
        # Loads carry the server's instants; when their rows were read must be told by the same clock.
        if "inputs_read_at" not in entry.details:
            return entry
        cost = self._connection.cost
        billed = {"bytes_billed": cost.bytes_billed, "slot_milliseconds": cost.slot_milliseconds}
        return replace(entry, details={**entry.details, **billed, "inputs_read_at": self._read_at})


def _replaced(table: Table, moves: Sequence[Move]) -> list[str]:
    return sorted(m.partition for m in moves if m.table == table.name and m.change is Change.REPLACE)


def _carried(name: str, is_stamp: bool) -> str:
    column = quoted(name)
    # o.row_key is null exactly where no unchanged old row was found.
    return f"CASE WHEN o.row_key IS NULL THEN n.{column} ELSE o.{column} END" if is_stamp else f"n.{column}"
