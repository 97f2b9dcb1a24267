"""Who asks: a key that was checked. Everything behind the door takes a `Caller` and trusts it."""

from dataclasses import dataclass

from overpaint.core.account import ApiKey, KeyLimits
from overpaint.core.errors import AccessError
from overpaint.core.task import Task


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated key."""

    key: ApiKey

    @property
    def key_id(self) -> str:
        """Public id of the key, safe to log."""
        return self.key.id

    @property
    def is_admin(self) -> bool:
        """Whether it may see and change everything."""
        return self.key.is_admin

    @property
    def limits(self) -> KeyLimits:
        """What the key may do."""
        return self.key.limits

    def may_see(self, task: Task) -> bool:
        """Whether a task is the caller's own, or the caller is an admin."""
        return self.is_admin or task.key_id == self.key_id

    def require_admin(self) -> None:
        """Refuse everybody else.

        Raises:
            AccessError: this key is not an admin's.
        """
        if not self.is_admin:
            raise AccessError("this needs an admin key")
