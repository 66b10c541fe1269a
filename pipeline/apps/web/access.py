"""Who may ask this server: by which names, from which pages and with which keys; and where it is to be found.

A browser sends what any page has it send. What a page cannot forge are `Host`, by which the browser found this server,
and `Origin`, where the page itself comes from.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

LOOPBACK = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]]+)(?::\d+)?", re.IGNORECASE)  # name or address, and a port
MAPPED = "::ffff:"  # before an address of IPv4 that came in where IPv6 is listened to as well


class Keys:
    """What opens a server: its password, the session that a browser gets for it, and a signature for one file."""

    def __init__(self, password: str) -> None:
        """Sessions and signatures hold as long as this object."""
        self._password = password.encode()
        self._secret = secrets.token_bytes()
        self.session = secrets.token_urlsafe()

    def is_password(self, found: bytes) -> bool:
        """Return whether `found` is the password."""
        return hmac.compare_digest(found, self._password)

    def is_session(self, found: str) -> bool:
        """Return whether `found` is the session."""
        return hmac.compare_digest(found.encode(), self.session.encode())

    def signature(self, path: str) -> str:
        """Return what opens the file at `path`, as it is after decoding, and no other one."""
        return hmac.new(self._secret, path.encode(), hashlib.sha256).hexdigest()

    def is_signature(self, found: str, path: str) -> bool:
        """Return whether `found` opens the file at `path`."""
        return hmac.compare_digest(found.encode(), self.signature(path).encode())


@dataclass(frozen=True)
class Access:
    """The rules of one server."""

    names: frozenset[str] = frozenset(LOOPBACK)  # that it may be called by, ...
    any_address: bool = False  # ... or by any IP address: no page has one for its name that leads here and elsewhere
    address: str = ""  # where others reach it, e.g. https://music.example; without it where a request came in
    keys: Keys | None = None  # None: there is no password

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server, so that its paths are those of who asks."""
        return not (self.any_address or self.address)

    def is_name(self, host: str) -> bool:
        """Return whether a request may call this server `host`, a header."""
        found = HOST.fullmatch(host)
        if not found:
            return False
        name = found[1].lower().strip("[]")
        return name in self.names or (self.any_address and _is_address(name))

    def is_own(self, origin: str, host: str) -> bool:
        """Return whether pages of `origin` are this server's, which they call `host`; that is a name of it."""
        return origin.lower() in (f"http://{host.lower()}", self.address or None)

    def origin(self, scope: Any) -> str:
        """Return where the server of a request is to be found, whatever the request calls it."""
        return self.address or url_of(*scope["server"])

    def link(self, scope: Any, url: str) -> str:
        """Return the address of the file at `url` on this server for a player, which has no password to show."""
        key = f"?key={self.keys.signature(unquote(url))}" if self.keys else ""
        return f"{self.origin(scope)}{url}{key}"


def url_of(host: str, port: int) -> str:
    """Return the address of a server, e.g. `http://[::1]:8000`."""
    host = host.removeprefix(MAPPED)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
