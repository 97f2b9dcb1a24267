"""The service: one frozen object that the borders hold, made by `compose` from ports."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from overpaint.core.account import UsageRow
from overpaint.core.model_info import ModelInfo
from overpaint.service.catalogue import Catalogue
from overpaint.service.files import Files
from overpaint.service.keys import Keys
from overpaint.service.limits import Limits
from overpaint.service.links import FileLinks
from overpaint.service.submit import Submitter
from overpaint.service.tasks import Tasks
from overpaint.service.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether work can be taken and done now.

    Args:
        is_ready: all parts are well.
        problems: by part (``"engine"``, ``"store"``, ``"files"``), what is wrong; empty when ready.
    """

    is_ready: bool
    problems: dict[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a border can call.

    Args:
        keys: who may ask.
        limits: how much.
        catalogue: for what.
        submit: takes requests.
        tasks: what became of them.
        files: uploads and results.
        links: paths of files for people without a key.
        webhooks: deliveries, for people.
    """

    keys: Keys
    limits: Limits
    catalogue: Catalogue
    submit: Submitter
    tasks: Tasks
    files: Files
    links: FileLinks
    webhooks: Webhooks

    @property
    def model_info(self) -> ModelInfo:
        """The loaded checkpoint.

        Raises:
            BackendError: it is not loaded yet.
        """
        raise NotImplementedError

    async def usage(
        self, *, key_id: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[UsageRow]:
        """Usage rows, oldest first."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the loops: dispatch, webhooks, sweeping. Tasks left by an earlier life go on."""
        raise NotImplementedError

    async def stop(self, timeout_s: float = 8.0) -> None:
        """Stop admitting, hand running work back to the queue, end the loops."""
        raise NotImplementedError

    async def readiness(self) -> Readiness:
        """See whether engine, store and files work now."""
        raise NotImplementedError
