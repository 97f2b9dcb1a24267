"""What the service needs from a database, as Protocols.

Every method is one transaction: when it returns, it is durable; when it raises, nothing happened. Adapters raise only
errors of the tree (`BackendError` when the database is out of reach).
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypedDict, Unpack

from overpaint.core.account import UNLIMITED, ApiKey, KeyLimits, Standing, UsageRow, UsageSum, WebhookDelivery
from overpaint.core.errors import BackendError
from overpaint.core.result import Timings
from overpaint.core.session import Session, SessionNode
from overpaint.core.task import Backlog, Lease, NewTask, Task, TaskFailure, TaskOutput, TaskState


class RefusedValueError(BackendError):
    """A value cannot be stored; the database is well, and other values can. Callers see `BackendError`."""


class TaskFilter(TypedDict, total=False):
    """Which tasks are wanted: those that fit in everything it says."""

    key_id: str | None
    states: Sequence[TaskState]
    model: str | None
    created_after: datetime | None
    created_before: datetime | None


class TaskStore(Protocol):
    """Tasks and everything that is decided together with them."""

    async def create(self, task: NewTask, limits: KeyLimits = UNLIMITED) -> tuple[Task, bool]:
        """Store a task as queued, or as failed + webhook queued when it names a failure; True when it is new.

        With an idempotency key that the API key used before, the earlier task comes back with False; likewise
        with an id that is stored already, so that an unanswered `create` can be repeated. What is not new is not
        held against `limits`. An id is one task's for ever: what was charged under it, before it was deleted, is
        not charged again (`RefusedValueError`).

        Raises:
            TaskError: the idempotency key was used with another fingerprint.
            RateLimitError: the key has as many open tasks as `limits` allow, whoever accepted them.
            BudgetError: the price does not fit in what is left of the month's budget.
        """
        ...

    async def find_repeated(self, key_id: str, idempotency_key: str, fingerprint: str) -> Task | None:
        """The task that an API key made with this idempotency key; None when it made none.

        Raises:
            TaskError: the idempotency key was used with another fingerprint.
        """
        ...

    async def get(self, task_id: str) -> Task:
        """One task.

        Raises:
            TaskError: there is none (``code`` of `TaskNotFoundError`).
        """
        ...

    async def list_tasks(
        self,
        *,
        cursor: str | None = None,
        skip: int = 0,
        limit: int = 50,
        **wanted: Unpack[TaskFilter],
    ) -> tuple[list[Task], str | None]:
        """Newest first, without the first `skip` of them, and the cursor of the next page."""
        ...

    async def count(self, **wanted: Unpack[TaskFilter]) -> int:
        """How many tasks `list_tasks` would list."""
        ...

    async def position(self, task_id: str) -> int:
        """How many queued tasks go before this one; 0 when it is next or no longer queued."""
        ...

    async def backlog(self) -> Backlog:
        """What is queued, whoever accepted it."""
        ...

    async def lease(self, worker: str, *, limit: int, duration: timedelta) -> list[Lease]:
        """Take queued tasks, most urgent and oldest first; each becomes running with its attempt counted."""
        ...

    async def renew(self, worker: str, task_ids: Sequence[str], *, duration: timedelta) -> set[str]:
        """Prolong a worker's leases of these tasks; returns those it still holds (not the cancelled and reclaimed).

        Its other leases stay as they are, and run out so: nobody works on them.
        """
        ...

    async def hand_back(self, worker: str, task_ids: Sequence[str], *, count_attempt: bool) -> None:
        """Return leased tasks to the queue; `count_attempt=False` when it was no fault of theirs."""
        ...

    async def leases(self) -> list[Lease]:
        """All leases that were not ended, whoever holds them."""
        ...

    async def reclaim(self, lost: Sequence[Lease], *, max_losses: int) -> tuple[list[Task], list[Task]]:
        """Requeue the tasks of these leases, fail those it happened to `max_losses` times: (requeued, failed).

        What was renewed or ended since it was looked at stays as it is. Whoever held the others is gone, by no fault of
        theirs: the attempt is not counted.
        """
        ...

    async def succeed(self, lease: Lease, outputs: Sequence[TaskOutput], timings: Timings) -> Task | None:
        """Task done + outputs + usage row + webhook queued, at once; None when the lease was lost meanwhile."""
        ...

    async def fail(self, lease: Lease, failure: TaskFailure) -> Task | None:
        """Task failed + webhook queued, at once; None when the lease was lost meanwhile."""
        ...

    async def cancel(self, task_id: str, *, charge_microusd: int = 0) -> Task:
        """Make a queued or running task cancelled + webhook queued; a final one comes back as it is.

        A running one also gets its usage row: no pictures, the device time since its lease, `charge_microusd`.

        Raises:
            TaskError: there is none.
        """
        ...

    async def charge_cancelled(self, lease: Lease, charge_microusd: int) -> None:
        """Charge a task that was cancelled under this very lease, by somebody who did not know what had been done.

        What was charged already stays as it is.
        """
        ...

    async def delete(self, task_id: str) -> None:
        """Forget a final task; its usage row stays.

        Raises:
            TaskError: there is none, or it is not final.
        """
        ...

    async def expire(self, *, finished_before: datetime, limit: int = 500) -> list[Task]:
        """Forget final tasks that ended before, and return them so that their files can go."""
        ...

    async def referenced_files(self, keys: Sequence[str]) -> set[str]:
        """Those of the given file keys that some task still names; the sweeper removes the others."""
        ...

    async def check(self) -> None:
        """See that tasks can be stored now.

        Raises:
            BackendError: they cannot.
        """
        ...


class AccountStore(Protocol):
    """Keys and usage."""

    async def create_key(self, key: ApiKey) -> None:
        """Store a key.

        Raises:
            RequestError: the name is taken.
        """
        ...

    async def find_key(self, secret_hash: str) -> ApiKey | None:
        """The key with this hash, revoked or not."""
        ...

    async def list_keys(self) -> list[ApiKey]:
        """All keys, oldest first."""
        ...

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        """Change a key's limits.

        Raises:
            RequestError: no such key.
        """
        ...

    async def revoke_key(self, name: str) -> ApiKey:
        """Make a key useless.

        Raises:
            RequestError: no such key.
        """
        ...

    async def standing(self, key_id: str, *, since: datetime | None) -> Standing:
        """A key's open tasks, and what was charged since then plus the price of what is open.

        Without `since`, the price of what is open alone: what was charged is many rows.
        """
        ...

    def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first."""
        ...

    async def usage_page(self, key_id: str, *, skip: int, limit: int) -> tuple[list[UsageRow], int]:
        """A key's usage rows, newest first, without the first `skip` of them; and how many there are in all."""
        ...

    async def usage_sums(self, *, since: datetime | None = None, until: datetime | None = None) -> list[UsageSum]:
        """What was charged, by key and model, in that order."""
        ...


class WebhookStore(Protocol):
    """Deliveries that are due. They are queued by `TaskStore` in the transaction that makes a task final."""

    async def due(self, *, limit: int, duration: timedelta, except_keys: Sequence[str] = ()) -> list[WebhookDelivery]:
        """Take deliveries whose time has come, the longest due first; nobody else gets them for `duration`.

        Those of the API keys `except_keys` are left for later.
        """
        ...

    async def delivered(self, delivery_id: str) -> None:
        """Note a success."""
        ...

    async def failed(self, delivery_id: str, *, error: str, next_attempt_at: datetime | None) -> None:
        """Note a failed try, and when to try again; None gives up."""
        ...

    async def deliveries(self, *, task_id: str | None = None, limit: int = 100) -> list[WebhookDelivery]:
        """Newest first, for people."""
        ...


class SessionStore(Protocol):
    """Sessions. A node goes with its task: what is forgotten there is gone here, and its children begin anew."""

    async def create_session(self, session_id: str, key_id: str, name: str) -> Session:
        """Store an empty session."""
        ...

    async def get_session(self, session_id: str) -> Session:
        """One session.

        Raises:
            TaskError: there is none (``code`` of `TaskNotFoundError`).
        """
        ...

    async def list_sessions(self, key_id: str, *, limit: int = 100) -> list[Session]:
        """A key's sessions, the last touched first."""
        ...

    async def rename_session(self, session_id: str, name: str) -> Session:
        """Give it another name.

        Raises:
            TaskError: there is none.
        """
        ...

    async def delete_session(self, session_id: str) -> None:
        """Forget a session, but none of its tasks; a missing one does not matter."""
        ...

    async def add_node(self, session_id: str, node: SessionNode) -> None:
        """Add a task to a session and touch it; adding it again changes nothing. A parent that is gone becomes None.

        Raises:
            TaskError: there is no such session or task.
        """
        ...

    async def list_nodes(self, session_id: str) -> list[SessionNode]:
        """A session's nodes in the order they were added."""
        ...
