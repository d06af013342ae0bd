"""Every error gradeonce raises.

    GradeonceError                    carries .hint (what to type next) and .state (what the data looks like now)
    ├── UsageError                    the call itself is wrong; nothing was touched                    exit 64
    ├── ConfigError                   a setting is wrong; nothing was touched                          exit 78
    ├── InputError                    a file breaks its contract; nothing landed                       exit 1
    ├── LockError
    │   ├── LeaseHeld                 somebody else holds the lease                    transient       exit 3
    │   ├── LeaseLost                 we held it and lost it; nothing was published                    exit 4
    │   └── LeaseSettingsMismatch     two holders disagree on the lease's length                       exit 78
    ├── ValidationFailed              staged rows broke a rule; nothing was published                  exit 1
    ├── LedgerBroken                  the hash chain, or the data under it, was changed afterwards     exit 1
    ├── AlertError                    a channel did not take a message; never fails the run             exit 1
    │   └── TransientAlertError       it may take it later                             transient
    ├── CompletionError               a completion was not published; what was graded stands           exit 1
    │   └── TransientCompletionError  it may be taken later                            transient
    ├── CloudError                    a command of Google Cloud failed; what was made before stands      exit 5
    ├── RefusedForSafety              going on could lose or double data                               exit 6
    └── WarehouseError                the driver's own error is in __cause__                           exit 5
        ├── TransientWarehouseError   busy, unreachable: safe to run again             transient
        └── PublishConflict           somebody published in between: start from base   transient

`is_transient` is a property of the type: only transient errors are retried. No error leaves a partition half-way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

NOTHING_CHANGED = "Nothing was changed."


class GradeonceError(Exception):
    """What happened, what state the data is in now, and what to do next.

    Attributes:
        state: One sentence on the data as it stands after the error.
        hint: The next command or edit to try; empty when there is none.
    """

    is_transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, state: str = NOTHING_CHANGED, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.hint = hint

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.state, self.hint) if part)


class UsageError(GradeonceError):
    """The call itself is wrong: an unknown name, a date that is none, options that exclude each other."""

    exit_code = 64


class ConfigError(GradeonceError):
    """A setting is wrong; the message names the file, the key and what was expected."""

    exit_code = 78


@dataclass(frozen=True)
class BadRow:
    """One row of an input file that breaks the contract.

    Attributes:
        file: Name of the file as it was given.
        row: 1-based number of the data row (the header line is not counted).
        column: Canonical column at fault; empty when the row as a whole is.
        value: The value as it was read, shortened.
        reason: What was expected.
    """

    file: str
    row: int
    column: str
    value: str | None
    reason: str

    def __str__(self) -> str:
        where = f"{self.file} row {self.row}"
        if not self.column:
            return f"{where}: {self.reason}"
        value = "empty" if self.value is None else repr(self.value)
        return f"{where}, column {self.column}: {value} {self.reason}"


class InputError(GradeonceError):
    """A file breaks its contract. Nothing of it landed.

    Attributes:
        rows: Up to 20 of the offending rows, in file order.
        bad_rows: How many rows are bad in all.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        rows: Sequence[BadRow] = (),
        bad_rows: int = 0,
        state: str = "Nothing was loaded.",
        hint: str = "",
    ) -> None:
        super().__init__(message, state=state, hint=hint)
        self.rows = tuple(rows)
        self.bad_rows = bad_rows


class LockError(GradeonceError):
    """A lease could not be had, or was lost."""


class LeaseHeld(LockError):
    """Somebody else holds the lease and did not let go in time.

    Attributes:
        key: The lease asked for.
        holder: Who has it.
        token: The fencing token of that holder.
        since: When it was acquired, ISO 8601 UTC by the store's clock.
        expires_in_seconds: How long it still runs unless renewed.
    """

    is_transient = True
    exit_code = 3

    def __init__(
        self, key: str, *, holder: str, token: int, since: str, expires_in_seconds: float, waited_seconds: float
    ) -> None:
        self.key, self.holder, self.token, self.since = key, holder, token, since
        self.expires_in_seconds = expires_in_seconds
        self.waited_seconds = waited_seconds
        super().__init__(
            f"The lease {key} is held by {holder} since {since} (token {token}); "
            f"it runs for another {expires_in_seconds:.1f} s unless renewed. Waited {waited_seconds:.1f} s.",
            hint=f"Run again later, wait longer with --wait, or see `gradeonce locks list`. If {holder} is certainly "
            f"dead: `gradeonce locks release {key} --token {token}`.",
        )


class LeaseLost(LockError):
    """We held the lease and lost it; the warehouse refused, or would have refused, the publish.

    Attributes:
        key: The lease that was lost.
        token: The fencing token we held.
        reason: Why it is lost: expired, taken_over, released, superseded.
    """

    exit_code = 4

    def __init__(self, key: str, *, token: int, reason: str, detail: str = "") -> None:
        self.key, self.token, self.reason = key, token, reason
        super().__init__(
            f"The lease {key} (token {token}) was lost: {reason.replace('_', ' ')}.{' ' + detail if detail else ''}",
            state="Nothing of this run was published; what a successor published stands.",
            hint="Run the same command again: it starts from what stands now.",
        )


class LeaseSettingsMismatch(LockError):
    """Two holders of one key disagree on how long a lease lasts, so neither could judge the other's expiry."""

    exit_code = 78


class ValidationFailed(GradeonceError):
    """Rows that were staged broke a rule. Readers never saw them.

    Attributes:
        failures: One line per broken rule, with counts and sample keys.
    """

    exit_code = 1

    def __init__(self, message: str, *, failures: Sequence[str], hint: str = "") -> None:
        super().__init__(message, state="Nothing was published; the last published state stands.", hint=hint)
        self.failures = tuple(failures)


class LedgerBroken(GradeonceError):
    """The ledger's hash chain, or data that it covers, was changed after the fact.

    Attributes:
        findings: One line per broken entry or file.
    """

    exit_code = 1

    def __init__(self, message: str, *, findings: Sequence[str]) -> None:
        super().__init__(message, state="Nothing was changed by this check.", hint="Restore the book from a backup.")
        self.findings = tuple(findings)


class RefusedForSafety(GradeonceError):
    """Going on could lose or double data, so we did not."""

    exit_code = 6


class CloudError(GradeonceError):
    """A command of Google Cloud failed. What was made before it stands; the same again goes on from there.

    Attributes:
        command: The command as a shell would take it.
    """

    exit_code = 5

    def __init__(self, message: str, *, command: str, state: str = NOTHING_CHANGED, hint: str = "") -> None:
        super().__init__(message, state=state, hint=hint)
        self.command = command


class AlertError(GradeonceError):
    """A channel did not take a message. It is recorded and sent again later; it never fails a run."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, state="The alert is kept and sent again with the next one.", hint=hint)


class TransientAlertError(AlertError):
    """The channel was out of reach, too slow or too busy; the same message may be taken later.

    Attributes:
        retry_after_seconds: How long the channel asks us to wait; None when it does not say.
    """

    is_transient = True

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class CompletionError(GradeonceError):
    """What became of a message could not be told to the topic. It is kept, and told when the message comes again."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, state="What was graded stands, and is not graded again.", hint=hint)


class TransientCompletionError(CompletionError):
    """The topic was out of reach or too busy; it may take the same completion later."""

    is_transient = True


class WarehouseError(GradeonceError):
    """The warehouse failed; the driver's own error is in `__cause__`."""

    exit_code = 5


class TransientWarehouseError(WarehouseError):
    """The warehouse is busy or out of reach; the same call may succeed later."""

    is_transient = True


class PublishConflict(TransientWarehouseError):
    """Somebody else published this partition between our base and our commit: start again from base."""
