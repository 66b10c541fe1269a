"""The sites to which requests are allowed."""

from collections.abc import Container
from urllib.parse import urlsplit

from pipeline.core.web import site_of

WIKIPEDIA = "wikipedia.org"  # its languages redirect to each other


def same_site(url: str, target: str) -> bool:
    """Return whether `url` may redirect to `target`: same host and port, or both Wikipedia; not from https to http."""
    try:
        sites = site_of(url), site_of(target)
    except ValueError:
        return False
    if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
        return False
    return sites[0] == sites[1] or all(f".{site}".endswith(f".{WIKIPEDIA}") for site in sites)


def is_among(sites: Container[str], url: str) -> bool:
    """Return whether the host of `url` is one of `sites`."""
    try:
        return site_of(url) in sites
    except ValueError:
        return False
