"""The addresses to which connections are allowed: entries of playlists and targets of redirects are untrusted.

Recordings are on the public web. Other addresses (loopback, private and link-local networks, and their IPv6 forms) are
refused, by the address of the connection, after name resolution. Exceptions:

- an item of `meta.json` may itself be on this machine or in a private network, because it is from the user. After a
  public address, it may not lead to a private one;
- an entry of a playlist may be at the same host and port as the item of the playlist, if that is an IP address or a
  name known only in the user's own network (`nas`, `nas.local`).

Link-local addresses, at which clouds serve credentials (169.254.169.254), are always refused.
"""

import contextlib
import ipaddress
import socket
from itertools import zip_longest
from typing import Any
from urllib.parse import urlsplit

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils.networking import select_proxy

from pipeline.core.web import PORTS

Site = tuple[str, int]  # host and port
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TRIED = 4  # addresses of a host, at most, alternating between IPv4 and IPv6
CONNECT_SECONDS = 10.0  # for all of them together
LOCAL_NAMES = (".localhost", ".local", ".lan", ".internal", ".home.arpa")
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
IPV4_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291, 2.5.5.1


class AddressRefused(RequestError):
    """A refused address; yt-dlp passes this exception on."""


class Reach:
    """The rule for the current request of one client."""

    def __init__(self) -> None:
        self._own: Site | None = None
        self._by_user = False
        self._from_public = False

    def of(self, item: str, by_user: bool) -> None:
        """Set the next request: the user's own `item` (`by_user`), or an entry of the playlist `item`."""
        self._own, self._by_user, self._from_public = site_of(item), by_user, False

    def require_web(self, url: str) -> None:
        """Raise `AddressRefused` if `url` is not on the web."""
        scheme = url.partition(":")[0].lower()
        if scheme not in PORTS:
            raise AddressRefused(f"{scheme[:20]}: URLs are not on the web")

    def require(self, host: str, port: int, address: str) -> None:
        """Raise `AddressRefused` if a connection to `address`, to which `host` resolved, is not allowed."""
        reached = plain_address(address)
        if reached.is_global and not reached.is_multicast:
            self._from_public = True
            return
        own = (host.lower(), port) == self._own and is_local(host)
        allowed = own or (self._by_user and not self._from_public)
        if reached.is_link_local or not allowed:
            is_number = host.strip("[]") == address
            what = "a public one" if is_number else "public"
            raise AddressRefused(f"the address {host} is not {what}" + ("" if is_number else f" ({address})"))


class GuardedRH(RequestsRH):
    """yt-dlp's request handler, restricted to connections that `reach` allows."""

    def __init__(self, *, reach: Reach, **settings: Any) -> None:
        super().__init__(**settings)
        self._reach = reach

    def _create_instance(self, *arguments: Any, **settings: Any) -> Any:
        session = super()._create_instance(*arguments, **settings)
        for adapter in session.adapters.values():
            adapter.poolmanager.pool_classes_by_scheme = _pools(self._reach)
        send = session.send

        def send_if_allowed(request: Any, **options: Any) -> Any:  # also called for each redirect
            if select_proxy(request.url, options.get("proxies") or {}):
                _require_behind_proxy(self._reach, request.url)
            return send(request, **options)

        session.send = send_if_allowed
        return session


def plain_address(text: str) -> Address:
    """Return the address in `text`; for an IPv6 address with an embedded IPv4 address, the latter."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64 or (address in IPV4_COMPATIBLE and int(address) > 1):  # not :: and ::1
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def is_local(host: str) -> bool:
    """Return whether `host` is an IP address, or a name that public DNS cannot redirect."""
    try:
        return bool(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return "." not in host or host.lower().endswith(LOCAL_NAMES)


def site_of(url: str) -> Site | None:
    """Return the host and port of `url`; None for a search."""
    try:
        parts = urlsplit(url)
        return ((parts.hostname or "").lower(), parts.port or PORTS[parts.scheme]) if parts.hostname else None
    except (KeyError, ValueError):
        return None


def _addresses(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))


def _in_turn(addresses: list[str]) -> list[str]:
    """Return addresses alternating between both families, starting with that of the first."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    others = [address for address in addresses if address not in first]
    return [address for pair in zip_longest(first, others) for address in pair if address is not None]


def _require_behind_proxy(reach: Reach, url: str) -> None:
    """Check the addresses known here: the proxy resolves the name itself, and may be the only one that can."""
    host, port = site_of(url) or ("", 0)
    with contextlib.suppress(OSError):
        for address in _addresses(host, port):
            reach.require(host, port, address)


def _pools(reach: Reach) -> dict[str, type[HTTPConnectionPool]]:
    """Return the connection pools by scheme, which apply `reach`."""

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            name, timeout, refused = self._dns_host, self.timeout, None
            try:
                addresses = _in_turn(_addresses(name, self.port))[:TRIED]
                for address in addresses:
                    reach.require(name, self.port, address)
                    self._dns_host = address
                    self.timeout = min(timeout or CONNECT_SECONDS, CONNECT_SECONDS / len(addresses))
                    try:
                        connected = super()._new_conn()
                    except (NewConnectionError, ConnectTimeoutError) as error:
                        refused = error
                    else:
                        connected.settimeout(timeout)
                        return connected
            except OSError as error:
                raise NewConnectionError(self, f"{name} cannot be resolved: {error}") from error
            finally:
                self._dns_host, self.timeout = name, timeout
            raise refused or NewConnectionError(self, f"{name} has no address")

        def request(self, *arguments: Any, **options: Any) -> None:
            if self.sock is not None:  # a connection allowed for an earlier request
                reach.require(self.host, self.port, str(self.sock.getpeername()[0]))
            super().request(*arguments, **options)

    class TlsConnection(Connection, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": Pool, "https": TlsPool}
