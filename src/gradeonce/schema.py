"""The tables: names, columns and types, the same on every warehouse.

Types are seven words that each warehouse maps to its own: `text`, `date`, `instant` (UTC, without offset), `decimal`
(exact, 9 places: doubles round ties at x.xx5 differently per engine), `sum` (exact, 18 places: sums of products of two
decimals), `integer` and `boolean`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from gradeonce.errors import UsageError

SMALL_STATE = ("grading_runs", "ledger", "loads", "leases", "publish_fences")
"""What a warehouse keeps about itself; offered to queries under these names, so no table may be called so."""

VIEWS = ("system_summary", "system_calibration", "system_roi", "player_performance")
"""Figures that every query can ask for; what each of them says is in `views.sql`."""


class ColumnType(StrEnum):
    """What a column holds, independent of the warehouse."""

    TEXT = "text"
    DATE = "date"
    INSTANT = "instant"
    DECIMAL = "decimal"
    SUM = "sum"
    INTEGER = "integer"
    BOOLEAN = "boolean"


@dataclass(frozen=True)
class Column:
    """One column; `required` means that no row may hold a null there."""

    name: str
    type: ColumnType
    required: bool = False


def _columns(text: str) -> tuple[Column, ...]:
    columns = []
    for line in text.strip().splitlines():
        name, kind, *flags = line.split()
        columns.append(Column(name, ColumnType(kind), required="required" in flags))
    return tuple(columns)


@dataclass(frozen=True)
class SmallTable:
    """A small table beside the partitioned ones: rows that are addressed by their key and change in place.

    Attributes:
        name: Logical name, offered to queries.
        columns: All columns, in order.
        key: Columns that address a row; none of them is ever null.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)


ALERTS_SEEN = SmallTable(
    name="alerts_seen",
    key=("alert_id",),
    columns=_columns("""
        alert_id      text     required
        identity      text     required
        episode       integer  required
        kind          text     required
        severity      text     required
        title         text     required
        what          text     required
        place         text     required
        command       text     required
        since_at      instant
        how_many      integer
        sample_keys   text     required
        opened_at     instant  required
        last_seen_at  instant  required
        seen          integer  required
        recovered_at  instant
    """),
)

ALERTS_SENT = SmallTable(
    name="alerts_sent",
    key=("alert_id", "event", "channel", "attempt"),
    columns=_columns("""
        alert_id       text     required
        event          text     required
        channel        text     required
        attempt        integer  required
        status         text     required
        severity       text     required
        written_at     instant  required
        claimed_until  instant
        sent_at        instant
        next_try_at    instant
        tries          integer  required
        error          text
    """),
)

DEDUPE_PLANS = SmallTable(
    name="dedupe_plans",
    key=("plan_id",),
    columns=_columns("""
        plan_id       text     required
        table_name    text     required
        made_at       instant  required
        partitions    integer  required
        keys          integer  required
        rows_deleted  integer  required
        backup        text     required
        plan_json     text     required
    """),
)

CHECK_RESULTS = SmallTable(
    name="check_results",
    key=("check_run", "check_name"),
    columns=_columns("""
        check_run     text     required
        check_name    text     required
        checked_at    instant  required
        checked_on    date     required
        status        text     required
        severity      text     required
        first_date    date     required
        last_date     date     required
        considered    integer  required
        found         integer  required
        failing       integer  required
        first_found   date
        keys_json     text
        error         text
    """),
)

SCHEDULE_RUNS = SmallTable(
    name="schedule_runs",
    key=("slot",),
    columns=_columns("""
        slot          text     required
        due_at        instant  required
        state         text     required
        game_date     date     required
        attempts      integer  required
        reason        text
        holder        text     required
        started_at    instant  required
        updated_at    instant  required
        finished_at   instant
    """),
)

HANDLED_EVENTS = SmallTable(
    name="handled_events",
    key=("event_id",),
    columns=_columns("""
        event_id         text     required
        target_date      date     required
        status           text     required
        run_id           text
        correlation_id   text     required
        handled_at       instant  required
        completion_json  text     required
        published_at     instant
    """),
)

SMALL_TABLES: tuple[SmallTable, ...] = (
    ALERTS_SEEN,
    ALERTS_SENT,
    CHECK_RESULTS,
    DEDUPE_PLANS,
    HANDLED_EVENTS,
    SCHEDULE_RUNS,
)
"""Every small table of ours that `init` makes; rows of them are written by `Warehouse.keep`."""


@dataclass(frozen=True)
class Table:
    """One partitioned table.

    Attributes:
        name: Logical name, which is also the default physical name.
        columns: All columns, in order.
        partition: The column whose value names the partition.
        key: Columns that make a row *the* row (null-safe); empty where any row may stand beside any other.
        stamps: Columns that say who wrote the row and when; a row that did not change keeps its old stamps.
        version_of: Columns that say of what a row is a version; of the same, the one loaded last counts. Empty: no
            row is a version of another.
        indexed: Columns whose values are remembered per partition, to find the partitions that share one.
    """

    name: str
    columns: tuple[Column, ...]
    partition: str
    key: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()
    version_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a definition that could not be kept apart from others, or that contradicts itself.

        Raises:
            UsageError: If it is one.
        """
        taken = (*SMALL_STATE, *VIEWS, *(table.name for table in SMALL_TABLES))
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", self.name) or self.name.lower() in taken:
            raise UsageError(
                f"{self.name!r} cannot name a table: letters, digits and _ are allowed, and none of {', '.join(taken)}."
            )
        names = self.column_names
        if len({name.lower() for name in names}) != len(names):
            raise UsageError(f"{self.name} has two columns of the same name.")
        strangers = {self.partition, *self.key, *self.stamps, *self.version_of, *self.indexed} - set(names)
        if strangers:
            raise UsageError(f"{self.name} has no column {', '.join(sorted(strangers))}.")
        if self.partition in self.stamps:
            raise UsageError(f"{self.name} is partitioned by {self.partition}, which therefore cannot be a stamp.")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that never hold a null."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def content(self) -> tuple[str, ...]:
        """The columns that are compared and hashed: all but the stamps."""
        return tuple(name for name in self.column_names if name not in self.stamps)


PREDICTIONS = Table(
    name="player_prop_predictions",
    partition="game_date",
    indexed=("game_id",),
    version_of=("system_id", "player_lookup", "game_id", "market", "line_value", "created_at"),
    stamps=("load_id", "load_row", "loaded_at"),
    columns=_columns("""
        prediction_id                text     required
        system_id                    text     required
        player_lookup                text     required
        player_name                  text
        game_id                      text     required
        game_date                    date     required
        market                       text     required
        predicted_value              decimal  required
        line_value                   decimal
        recommendation               text
        confidence_score             decimal
        created_at                   instant
        tipoff_at                    instant
        is_active                    boolean  required
        model_version                text
        line_source                  text     required
        bookmaker                    text
        over_price                   integer
        under_price                  integer
        has_prop_line                boolean
        estimated_line_value         decimal
        is_actionable                boolean
        filter_reason                text
        injury_status_at_prediction  text
        injury_flag_at_prediction    boolean
        injury_reason_at_prediction  text
        invalidation_reason          text
        load_id                      text     required
        load_row                     integer  required
        loaded_at                    instant  required
    """),
)

STAGED_PREDICTIONS = Table(
    name="staged_predictions",
    partition="staging",
    stamps=PREDICTIONS.stamps,
    columns=_columns("""
        staging  text  required
        batch    text  required
        worker   text  required
    """)
    + PREDICTIONS.columns,
)
"""What workers staged and nobody has merged yet. Each write is a partition of its own: written once, taken once."""

ACTUALS = Table(
    name="player_game_actuals",
    partition="game_date",
    indexed=("game_id",),
    version_of=("player_lookup", "game_id", "market", "recorded_at"),
    stamps=("load_id", "load_row", "loaded_at"),
    columns=_columns("""
        player_lookup       text     required
        player_name         text
        game_id             text     required
        game_date           date     required
        market              text     required
        actual_value        decimal
        minutes_played      decimal
        is_dnp              boolean
        team_abbr           text
        opponent_team_abbr  text
        is_final            boolean  required
        recorded_at         instant
        load_id             text     required
        load_row            integer  required
        loaded_at           instant  required
    """),
)

INJURIES = Table(
    name="injury_reports",
    partition="game_date",
    version_of=("player_lookup", "game_id", "game_date", "reported_at"),
    stamps=("load_id", "load_row", "loaded_at"),
    columns=_columns("""
        player_lookup  text     required
        player_name    text
        game_id        text
        game_date      date     required
        status         text     required
        reason         text
        reported_at    instant
        load_id        text     required
        load_row       integer  required
        loaded_at      instant  required
    """),
)

LINES = Table(
    name="player_prop_lines",
    partition="game_date",
    version_of=("player_lookup", "game_id", "game_date", "market", "bookmaker", "line_value", "observed_at"),
    stamps=("load_id", "load_row", "loaded_at"),
    columns=_columns("""
        player_lookup  text     required
        player_name    text
        game_id        text
        game_date      date     required
        market         text     required
        bookmaker      text     required
        line_value     decimal  required
        over_price     integer
        under_price    integer
        observed_at    instant
        tipoff_at      instant
        load_id        text     required
        load_row       integer  required
        loaded_at      instant  required
    """),
)

QUARANTINE = Table(
    name="quarantined_rows",
    partition="kind",
    columns=_columns("""
        kind        text     required
        load_id     text     required
        file        text     required
        file_row    integer  required
        reasons     text     required
        row_json    text     required
    """),
)

ACCURACY = Table(
    name="prediction_accuracy",
    partition="game_date",
    key=("player_lookup", "game_id", "system_id", "market", "line_value"),
    stamps=("run_id", "graded_at"),
    columns=_columns("""
        game_date                  date     required
        system_id                  text     required
        player_lookup              text     required
        game_id                    text     required
        market                     text     required
        line_value                 decimal
        prediction_id              text     required
        player_name                text
        predicted_value            decimal  required
        confidence_score           decimal
        confidence_decile          integer
        recommendation             text
        actual_value               decimal
        minutes_played             decimal
        absolute_error             decimal
        signed_error               decimal
        predicted_margin           decimal
        actual_margin              decimal
        within_3                   boolean
        within_5                   boolean
        outcome                    text     required
        prediction_correct         boolean
        is_final_line              boolean  required
        is_voided                  boolean  required
        void_reason                text
        ungradable_reason          text
        pre_game_injury_flag       boolean  required
        pre_game_injury_status     text
        injury_confirmed_postgame  boolean  required
        team_abbr                  text
        opponent_team_abbr         text
        line_source                text     required
        bookmaker                  text
        over_price                 integer
        under_price                integer
        has_prop_line              boolean
        estimated_line_value       decimal
        is_actionable              boolean
        filter_reason              text
        model_version              text
        predicted_at               instant
        rules_version              integer  required
        run_id                     text     required
        graded_at                  instant  required
    """),
)

DAILY_PERFORMANCE = Table(
    name="system_daily_performance",
    partition="game_date",
    key=("system_id", "market"),
    columns=_columns("""
        game_date                     date     required
        system_id                     text     required
        market                        text     required
        predictions                   integer  required
        win                           integer  required
        loss                          integer  required
        push                          integer  required
        no_bet                        integer  required
        void                          integer  required
        ungradable                    integer  required
        pending                       integer  required
        picks                         integer  required
        wins                          integer  required
        losses                        integer  required
        pushes                        integer  required
        errors                        integer  required
        sum_signed_error              sum
        sum_absolute_error            sum
        sum_squared_error             sum
        within_3                      integer  required
        within_5                      integer  required
        confidences                   integer  required
        sum_squared_confidence_error  sum
        bets_at_real_price            integer  required
        sum_profit                    sum
        profit_at_real_price          sum
        void_injury_confirmed         integer  required
        void_late_scratch             integer  required
        void_unknown                  integer  required
        void_game_moved               integer  required
    """),
)
"""Sums of one date, system and market over the grades; they follow from those, and are published with them."""

REVISIONS = Table(
    name="grade_revisions",
    partition="partition",
    columns=_columns("""
        partition    text     required
        table_name   text     required
        change       text     required
        reason       text     required
        key_json     text     required
        old_json     text
        new_json     text
        run_id       text     required
        revised_at   instant  required
    """),
)

LOADED_TABLES = {"predictions": PREDICTIONS, "actuals": ACTUALS, "injuries": INJURIES, "lines": LINES}
"""What `load` accepts, by the word the user types."""

ROW_TABLES = (
    PREDICTIONS,
    STAGED_PREDICTIONS,
    ACTUALS,
    INJURIES,
    LINES,
    QUARANTINE,
    ACCURACY,
    DAILY_PERFORMANCE,
    REVISIONS,
)
"""Every table whose rows are partitioned; the small state (fences, runs, leases) is the warehouse's own."""

OUTCOMES = ("win", "loss", "push", "no_bet", "void", "ungradable", "pending")
"""What can become of a prediction; the seven always add up to all predictions (guarantee G6)."""

STATS = {
    "points": "points",
    "rebounds": "rebounds",
    "assists": "assists",
    "threes": "threes",
    "steals": "steals",
    "blocks": "blocks",
    "turnovers": "turnovers",
}
"""Wide columns of a box score and the market each one is."""

COMPOSITE_MARKETS = {
    "points_rebounds_assists": ("points", "rebounds", "assists"),
    "points_rebounds": ("points", "rebounds"),
    "points_assists": ("points", "assists"),
    "rebounds_assists": ("rebounds", "assists"),
    "steals_blocks": ("steals", "blocks"),
}
"""Markets that are sums of others, made when a box score is loaded."""
