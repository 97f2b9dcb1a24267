"""From a draft to a stored task: everything is checked before the caller hears an id, and durable when they hear it.

In order: model, numbers and words; rate; pictures (fetched, decoded, checked, stored by content); open tasks and
budget; the task. What fails leaves nothing charged and no task. Knows no HTTP and no vendor's words.
"""

from overpaint.core.task import Task
from overpaint.service.caller import Caller
from overpaint.service.draft import Draft


class Submitter:
    """Accepts drafts."""

    async def submit(self, caller: Caller, draft: Draft) -> Task:
        """Check a draft and store it as a queued task.

        Goes on when the waiting caller is cancelled (the client went away): the task is then *unheard*, and an
        identical draft of the same key within the join window gets it instead of a second one. So does an identical draft with
        `is_retry` or a fixed seed while the first is still being accepted.

        Raises:
            RequestError: a field breaks a rule (also `PictureError`, `ContentError`).
            TaskError: the idempotency key was used with another request.
            RateLimitError: too many requests, or too many open tasks.
            BudgetError: this month's budget does not cover it.
            BackendError: the store, the files or the engine are out of reach; nothing was accepted.
        """
        raise NotImplementedError

    def note_unheard(self, task: Task) -> None:
        """Note that the client went away before it was told of `task`, so that its retry is given this task.

        For borders that wait for the result before they answer.
        """
        raise NotImplementedError
