"""Access rules: the server's host names, the origins of its own pages, its keys, and its public address.

Any page can make a browser send a request to this server, but it cannot forge `Host`, the name by which the browser
found the server, or `Origin`, the site of the page itself.
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
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]]+)(?::\d+)?", re.IGNORECASE)  # name or address, optional port
MAPPED = "::ffff:"  # prefix of an IPv4 address on a socket that also accepts IPv6


class Keys:
    """The password of a server, the session token of its browsers, and signatures for single files."""

    def __init__(self, password: str) -> None:
        """Create the session token and the signing secret, which are valid as long as this object exists."""
        self._password = password.encode()
        self._secret = secrets.token_bytes()
        self.session = secrets.token_urlsafe()

    def is_password(self, found: bytes) -> bool:
        """Return whether `found` is the password."""
        return hmac.compare_digest(found, self._password)

    def is_session(self, found: str) -> bool:
        """Return whether `found` is the session token."""
        return hmac.compare_digest(found.encode(), self.session.encode())

    def signature(self, path: str) -> str:
        """Return the signature that opens the file at `path` (percent-decoded), and no other file."""
        return hmac.new(self._secret, path.encode(), hashlib.sha256).hexdigest()

    def is_signature(self, found: str, path: str) -> bool:
        """Return whether `found` is the signature for the file at `path`."""
        return hmac.compare_digest(found.encode(), self.signature(path).encode())


@dataclass(frozen=True)
class Access:
    """The access rules of one server."""

    names: frozenset[str] = frozenset(LOOPBACK)  # allowed values of `Host`
    any_address: bool = False  # whether `Host` may also be any IP address, which DNS rebinding cannot redirect
    address: str = ""  # public address, e.g. https://music.example; empty: the socket that received the request
    keys: Keys | None = None  # None: no password

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server, so file paths are valid for the client."""
        return not (self.any_address or self.address)

    def is_name(self, host: str) -> bool:
        """Return whether `host`, a `Host` header, names this server."""
        found = HOST.fullmatch(host)
        if not found:
            return False
        name = found[1].lower().strip("[]")
        return name in self.names or (self.any_address and _is_address(name))

    def is_own(self, origin: str, host: str) -> bool:
        """Return whether `origin` is this server's own, given the valid `Host` header `host` of the request."""
        return origin.lower() in (f"http://{host.lower()}", self.address or None)

    def origin(self, scope: Any) -> str:
        """Return the server's own origin, independent of the request's headers."""
        return self.address or url_of(*scope["server"])

    def link(self, scope: Any, url: str) -> str:
        """Return the address of the file at `url` for a media player, which cannot send a password."""
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
