"""Short-lived keys for one use: uploads to the CDN, or the endpoints a browser may call.

Signed with a secret of the server and never stored; a token names the key it was made with and lets its bearer do less.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from overpaint.core.errors import AccessError
from overpaint.service.caller import Caller
from overpaint.service.service import Service

PREFIX = "opt_"
STORAGE = "@storage"
PURPOSE = "fal tokens"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says.

    Args:
        key_id: whose it is.
        expires: unix time.
        allowed: aliases of endpoints, or `STORAGE`.
    """

    key_id: str
    expires: int
    allowed: tuple[str, ...]


def issue(service: Service, caller: Caller, allowed: tuple[str, ...], lifetime_s: int) -> tuple[str, Token]:
    """A token for somebody with a key."""
    token = Token(caller.key_id, int(time.time()) + lifetime_s, allowed)
    said = base64.urlsafe_b64encode(json.dumps([token.key_id, token.expires, token.allowed]).encode()).decode()
    return f"{PREFIX}{said}.{_sign(service, said)}", token


async def caller_of(service: Service, text: str, wanted: str) -> Caller:
    """Who bears a token, when it is good for what they want.

    Raises:
        AccessError: it is none of ours, has expired, is for something else, or its key was revoked.
    """
    token = _read(service, text)
    key = await service.keys.by_id(token.key_id)
    if key is None or key.revoked_at is not None or token.expires < time.time() or wanted not in token.allowed:
        raise AccessError("this token has expired, or is for something else")
    return Caller(key)


def _read(service: Service, text: str) -> Token:
    said, _, signature = text.removeprefix(PREFIX).partition(".")
    if not hmac.compare_digest(signature.encode(), _sign(service, said).encode()):
        raise AccessError("this token is not valid")
    try:
        key_id, expires, allowed = json.loads(base64.urlsafe_b64decode(said))
    except (binascii.Error, ValueError) as exc:
        raise AccessError("this token is not valid") from exc
    return Token(key_id, expires, tuple(allowed))


def _sign(service: Service, said: str) -> str:
    secret = service.links.secret_for(PURPOSE)
    return hmac.new(secret, said.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
