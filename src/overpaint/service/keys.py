"""API keys: made, listed, limited, revoked and recognised.

The secret (``op_...``) is shown once, when it is made; stored is its SHA-256. 256 random bits need no slow hash. Knows no
HTTP header.
"""

from overpaint.core.account import ApiKey, KeyLimits
from overpaint.core.store_ports import AccountStore
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock

SECRET_PREFIX = "op_"


class Keys:
    """The keys of this server.

    Args:
        accounts: where they are stored.
        clock: tells the time.
        remember_s: how long a recognised key is not looked up again; a revoked one works that much longer at most.
    """

    def __init__(self, accounts: AccountStore, clock: ServiceClock, remember_s: float = 1.0) -> None:
        raise NotImplementedError

    async def create(self, name: str, *, limits: KeyLimits | None = None, is_admin: bool = False) -> tuple[ApiKey, str]:
        """Make a key; the second value is the secret, which nobody can ever read again.

        Raises:
            RequestError: the name is taken or not usable.
        """
        raise NotImplementedError

    async def list_keys(self) -> list[ApiKey]:
        """All keys, oldest first, revoked ones too."""
        raise NotImplementedError

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        """Change what a key may do.

        Raises:
            RequestError: no such key.
        """
        raise NotImplementedError

    async def revoke(self, name: str) -> ApiKey:
        """Make a key useless at once.

        Raises:
            RequestError: no such key.
        """
        raise NotImplementedError

    async def authenticate(self, secret: str | None) -> Caller:
        """Recognise a caller by the secret.

        Raises:
            AccessError: there is no secret, nobody has it, or its key was revoked.
        """
        raise NotImplementedError

    async def by_id(self, key_id: str) -> ApiKey | None:
        """The key of a task or a delivery; None when there is none."""
        raise NotImplementedError
