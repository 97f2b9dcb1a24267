"""Which addresses on the network a caller may make this server talk to: public ones, and what the operator allows.

Pure: names and addresses in, a refusal or nothing out. Resolving and connecting is `fetch_guard`'s.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# After IDNA, which turns some signs into spaces and slashes.
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+")
_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARS = 8192

# IANA's special-purpose registry, multicast, the reserved block, and one vendor's metadata host on a public address.
_DENIED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Of IPv6 only global unicast is public; v4-mapped, v4-compatible, NAT64, ULA, link-local and multicast lie outside it.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4 wraps any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, taken apart once, so that checking and asking cannot read it differently.

    Args:
        scheme: ``"http"`` or ``"https"``.
        host: ASCII (IDNA), lower case, without brackets.
        port: 1..65535.
        path: path and query, ASCII, beginning with a slash.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _PORTS[self.scheme] == self.port else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What may be connected to.

    Args:
        allowed: networks (``"10.1.0.0/16"``), addresses and host names that are fine although they are not public.

    Raises:
        ValueError: an entry is neither.
    """

    allowed: tuple[str, ...] = ()
    _networks: tuple[Network, ...] = field(init=False, repr=False)
    _hosts: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in self.allowed:
            try:
                networks.append(ipaddress.ip_network(entry.strip(), strict=False))
            except ValueError:
                hosts.add(_ascii_host(entry.strip()))
        object.__setattr__(self, "_networks", tuple(networks))
        object.__setattr__(self, "_hosts", frozenset(hosts))

    def refusal(self, host: str, address: str) -> str | None:
        """Why `host` may not be reached at `address`, as a clause; None when it may."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return "has no usable address"
        if host in self._hosts or any(parsed in network for network in self._networks):
            return None
        return None if is_public(parsed) else "leads to an address that is not public"


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _DENIED_V6)


def read_target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        ValueError: it is not a plain http or https URL; the message is a clause.
    """
    if len(url) > MAX_URL_CHARS:
        raise ValueError(f"must be at most {MAX_URL_CHARS} characters")
    if not url or any(char <= " " or char in "\\\x7f" for char in url):
        raise ValueError("must be a URL without spaces, backslashes and control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("is not a valid URL") from exc
    if parts.scheme not in _PORTS:
        raise ValueError("must be an http or https URL")
    if "@" in parts.netloc:
        raise ValueError("must not carry a user name or a password")
    host = _ascii_host(parts.hostname or "")
    return Target(parts.scheme, host, _checked_port(port, parts), _ascii_path(parts))


def _checked_port(port: int | None, parts: SplitResult) -> int:
    if port == 0:
        raise ValueError("must have a port of 1 to 65535")
    return port or _PORTS[parts.scheme]


def _ascii_host(host: str) -> str:
    """The host as it is asked of DNS: lower case, IDNA, without a trailing dot."""
    if "%" in host:
        raise ValueError("must not name a network interface or hide its host")
    try:
        ascii_host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise ValueError("must have a host name that can be looked up") from exc
    ascii_host = ascii_host.lower().rstrip(".")
    if len(ascii_host) > 253 or not _HOST.fullmatch(ascii_host):
        raise ValueError("must name a host")
    return ascii_host


def _ascii_path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else path
