"""`TaskStore` over SQLAlchemy: the four parts put together."""

from sqlalchemy import Connection, update

from overpaint.store.ending import TaskEnding
from overpaint.store.intake import TaskIntake
from overpaint.store.leasing import TaskLeasing
from overpaint.store.reading import TaskReading
from overpaint.store.schema import probe


class SqlTaskStore(TaskIntake, TaskReading, TaskLeasing, TaskEnding):
    """Tasks in a database.

    Args:
        database: migrated.
        now: tells the time of day, UTC.
        order: who goes first.
    """

    async def check(self) -> None:
        """See that tasks can be stored now; see `TaskStore.check`."""
        writing = update(probe).values(checked_at=self._now())

        def work(connection: Connection) -> None:
            connection.execute(writing)

        await self._database.write(work)
