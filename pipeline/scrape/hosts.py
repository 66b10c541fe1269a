"""Which hosts a request may go to, compared as `host`, or `host:port` where the port is not the scheme's own."""

import re
from collections.abc import Container
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "::1", "localhost")
WIKIPEDIA = "wikipedia.org"  # its languages lead to one another
PORTS = {"http": 80, "https": 443}
PLAIN = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")  # HTTP libraries differ on the rest


def site_of(url: str) -> str:
    """Return the host of an http or https URL, with the port if it is a special one; raise `ValueError` for another."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("it is neither http nor https")
    if not PLAIN.fullmatch(parts.netloc):
        raise ValueError("it names no plain host")
    port = parts.port
    return f"{parts.hostname}:{port}" if port not in (None, PORTS[parts.scheme]) else str(parts.hostname)


def is_loopback(url: str) -> bool:
    """Say whether `url` leads to this machine."""
    return urlsplit(url).hostname in LOOPBACK


def same_site(url: str, target: str) -> bool:
    """Say whether a page may lead from `url` to `target`: the same host and port, or both Wikipedia; never to http."""
    try:
        sites = site_of(url), site_of(target)
    except ValueError:
        return False
    if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
        return False
    return sites[0] == sites[1] or all(f".{site}".endswith(f".{WIKIPEDIA}") for site in sites)


def is_among(sites: Container[str], url: str) -> bool:
    """Say whether the host of `url` is one of `sites`."""
    try:
        return site_of(url) in sites
    except ValueError:
        return False
