"""API keys: made, listed, limited, revoked and recognised.

The secret (``op_...``) is shown once, when it is made; stored is its SHA-256 (256 random bits need no slow hash). Knows
no HTTP header.
"""

import asyncio
import hashlib
import hmac
import re
import secrets

from overpaint.core.account import MAX_BUDGET_USD, MAX_COUNT, MICRO, ApiKey, KeyLimits
from overpaint.core.errors import AccessError, RequestError
from overpaint.core.store_ports import AccountStore
from overpaint.service.caller import Caller
from overpaint.service.clock import ServiceClock

KEY_PREFIX = "op_"
WEBHOOK_PREFIX = "whsec_"
_NAME = re.compile(r"[\w][\w .@:/+-]{0,63}")
_MAX_REMEMBERED = 10_000


class Keys:
    """The keys of this server.

    Args:
        accounts: where they are stored.
        clock: tells the time.
        remember_s: how long a key is not looked up again; what another process changes takes that much longer to count
            at most.
    """

    def __init__(self, accounts: AccountStore, clock: ServiceClock, remember_s: float = 1.0) -> None:
        self._accounts = accounts
        self._clock = clock
        self._remember_s = remember_s
        self._known: dict[str, tuple[float, ApiKey]] = {}
        self._looking_up: dict[str, asyncio.Task[ApiKey | None]] = {}
        self._by_id: dict[str, ApiKey] = {}
        self._by_id_until_s = 0.0

    async def create(self, name: str, *, limits: KeyLimits | None = None, is_admin: bool = False) -> tuple[ApiKey, str]:
        """Make a key; the second value is the secret, which nobody can ever read again.

        Raises:
            RequestError: the name is taken or not usable.
        """
        if not _NAME.fullmatch(name):
            raise RequestError("name", name, "must be 1 to 64 letters, digits, spaces or . @ : / + - _")
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(
            id=f"key_{secrets.token_hex(6)}",
            name=name,
            secret_hash=hash_secret(secret),
            is_admin=is_admin,
            limits=check_limits(limits or KeyLimits()),
            webhook_secret=WEBHOOK_PREFIX + secrets.token_hex(32),
            created_at=self._clock.now(),
        )
        await self._accounts.create_key(key)
        return key, secret

    async def list_keys(self) -> list[ApiKey]:
        """All keys, oldest first, revoked ones too."""
        return await self._accounts.list_keys()

    async def set_limits(self, name: str, limits: KeyLimits) -> ApiKey:
        """Change what a key may do.

        Raises:
            RequestError: no such key, or a limit below what makes sense.
        """
        key = await self._accounts.set_limits(name, check_limits(limits))
        self._forget()
        return key

    async def revoke(self, name: str) -> ApiKey:
        """Make a key useless at once.

        Raises:
            RequestError: no such key.
        """
        key = await self._accounts.revoke_key(name)
        self._forget()
        return key

    async def authenticate(self, secret: str | None) -> Caller:
        """Recognise a caller by the secret.

        Raises:
            AccessError: there is no secret, nobody has it, or its key was revoked.
        """
        if not secret:
            raise AccessError("an API key is needed")
        wanted = hash_secret(secret)
        key = self._remembered(wanted) or await self._look_up(wanted)
        # The store finds by hash, in whatever time that takes; the last word is a comparison that tells nothing.
        if key is None or not hmac.compare_digest(key.secret_hash, wanted) or key.revoked_at is not None:
            raise AccessError("this API key is not valid")
        return Caller(key)

    async def by_id(self, key_id: str) -> ApiKey | None:
        """The key of a task or a delivery, revoked or not; None when there is none."""
        if key_id not in self._by_id or self._clock.now_s() >= self._by_id_until_s:
            self._by_id = {key.id: key for key in await self._accounts.list_keys()}
            self._by_id_until_s = self._clock.now_s() + self._remember_s
        return self._by_id.get(key_id)

    def _remembered(self, secret_hash: str) -> ApiKey | None:
        until_s, key = self._known.get(secret_hash, (0.0, None))
        return key if key and self._clock.now_s() < until_s else None

    async def _look_up(self, secret_hash: str) -> ApiKey | None:
        """Ask the store, once for all who wait for the same key: it is asked for with every request."""
        looking = self._looking_up.get(secret_hash)
        if looking is None:
            looking = self._looking_up[secret_hash] = asyncio.create_task(self._find(secret_hash))
            looking.add_done_callback(lambda _: self._looking_up.pop(secret_hash, None))
        return await asyncio.shield(looking)

    async def _find(self, secret_hash: str) -> ApiKey | None:
        key = await self._accounts.find_key(secret_hash)
        if key is not None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[secret_hash] = (self._clock.now_s() + self._remember_s, key)
        return key

    def _forget(self) -> None:
        self._known.clear()
        self._by_id.clear()


def hash_secret(secret: str) -> str:
    """What is stored of a secret: SHA-256, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def check_limits(limits: KeyLimits) -> KeyLimits:
    """Return `limits` when each makes sense.

    Raises:
        RequestError: one does not.
    """
    for name, value, least, most in (
        ("requests_per_minute", limits.requests_per_minute, 1, MAX_COUNT),
        ("max_open_tasks", limits.max_open_tasks, 1, MAX_COUNT),
        ("monthly_budget", limits.monthly_budget_microusd, 0, MAX_BUDGET_USD * MICRO),
        ("max_upload_mib", limits.max_upload_mib, 0, MAX_COUNT),
    ):
        if value is not None and not least <= value <= most:
            raise RequestError(name, value, f"must be {least} to {most}")
    return limits
