"""The User-Agent of requests, and the operator's contact in it.

Wikimedia's User-Agent policy requires the operator's contact, not the project's: all users of one contact share one
rate limit, and without any the response is 403 or ten requests per minute. Without a contact, Wikimedia is not queried.
"""

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

import requests

from pipeline.core.errors import ParamsError
from pipeline.corpus.section import Corpus

PROJECT = "soundtrack-retrieval/1.0"
CONTACT_VARIABLE = "SOUNDTRACK_CONTACT"
NEED_CONTACT = ("wikipedia.org", "wikimedia.org")
ADVICE = (
    "set corpus.contact in params.yaml, or the environment variable "
    f"{CONTACT_VARIABLE}, to your own e-mail address or page: Wikimedia requires a contact"
)


def operator_contact(corpus: Corpus) -> str | None:
    """Return `SOUNDTRACK_CONTACT`, else `corpus.contact`; raise `ParamsError` if it is not an e-mail address or URL."""
    given = os.environ.get(CONTACT_VARIABLE, "").strip()
    name, contact = (CONTACT_VARIABLE, given) if given else ("corpus.contact", corpus.contact)
    if contact is not None and not (
        contact.isascii() and contact.isprintable() and ("@" in contact or "://" in contact)
    ):
        raise ParamsError(f"{name}: found {contact!r}, expected an e-mail address or the URL of a page, in plain ASCII")
    return contact


def user_agent(contact: str | None) -> str:
    """Return the User-Agent: the project, the contact in brackets, the HTTP library."""
    operator = f" ({contact})" if contact else ""
    return f"{PROJECT}{operator} python-requests/{requests.__version__}"


def needs_contact(host: str) -> bool:
    """Return whether `host` is one of Wikimedia's."""
    return any(host == domain or host.endswith("." + domain) for domain in NEED_CONTACT)


def require_contact(urls: Iterable[str], contact: str | None) -> None:
    """Raise `ParamsError` if one of `urls` is Wikimedia's and there is no contact."""
    if contact is not None:
        return
    for url in urls:
        if needs_contact(urlsplit(url).hostname or ""):
            raise ParamsError(f"no contact is set, but {url} requires one: {ADVICE}")
