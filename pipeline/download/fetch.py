"""Fetching one request: look it up, save it, decode it to its end, move it into place."""

import logging
import os
import random
import threading
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.core.errors import disk_error
from pipeline.core.files import sha256_of
from pipeline.core.web import FetchError, Pace, is_loopback
from pipeline.corpus.site import Site
from pipeline.download.answers import address_of, chapters_of, entries_of, is_list, is_search, seconds_of, title_of
from pipeline.download.breaker import CircuitBreaker, CircuitOpen
from pipeline.download.check import CutOffError, check
from pipeline.download.client import Client
from pipeline.download.failures import COOKIES, UnknownFailure
from pipeline.download.lock import Lock
from pipeline.download.rows import Request, Row, counted, save_row, was_met
from pipeline.download.section import Download
from pipeline.media.audio import NotAudioError

log = logging.getLogger(__name__)

BACKOFF_SECONDS = 2.0  # before the second attempt; doubled before each further one
LONGEST_BACKOFF_SECONDS = 60.0
LOOPBACK_BACKOFF_SECONDS = 0.05
JITTER = (0.5, 1.5)  # share of the back-off, to desynchronise workers that failed together


@dataclass(frozen=True)
class Fetched:
    """The result of a request: its row, or for a list the requests for its entries."""

    row: Row | None
    requests: list[Request]


class Fetcher:
    """State shared by the workers; one client per thread."""

    def __init__(
        self,
        root: Path,
        site: Site,
        settings: Download,
        lock: Lock,
        breaker: CircuitBreaker,
        pace: Pace,
        cookies: str | None,
    ) -> None:
        self._root = root
        self._site = site
        self._settings = settings
        self._lock = lock
        self._breaker = breaker
        self._pace = pace
        self._cookies = cookies
        self._local = threading.local()
        self._clients: list[Client] = []

    def fetch(self, request: Request) -> Fetched:
        """Fetch with retries; the row is saved, unless no request was made.

        Raises `StageError` if the disk is full or fails.
        """
        entries = self._lock.entries(request.url) if request.entry is None else None
        if entries is not None:  # resolved in this run for another film with the same item
            return Fetched(None, request.of(entries))
        try:
            self._breaker.wait(0.0)
            fetched = self._with_attempts(request)
            if fetched.row is not None:
                again = was_met(self._root, request, fetched.row)
                save_row(self._root, request, fetched.row)
        except CircuitOpen as error:
            return Fetched(request.row(status=error.status, reason=error.reason), [])
        except OSError as error:
            raise disk_error(error, self._root / request.stem, "dvc repro download") from error
        if fetched.row is not None:  # lists themselves are not counted
            self._breaker.note(fetched.row["status"], fetched.row["reason"], request.address, again)
        return fetched

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.close()

    def _with_attempts(self, request: Request) -> Fetched:
        last = None
        for attempt in count(1):
            known: Row = {}
            try:
                return self._attempt(request, known)
            except CircuitOpen:
                if last is None:
                    raise
                return last
            except FetchError as error:
                log.debug("%s: attempt %d: %s", request.address, attempt, error)
                needs = None if error.needs == COOKIES and self._cookies is not None else error.needs
                row = request.row(**known, status=error.status, reason=error.reason, needs=needs)
                last = Fetched(counted(self._root, request, row) if isinstance(error, UnknownFailure) else row, [])
                if error.status != "transient" or attempt == self._settings.attempts:
                    return last
            try:
                self._breaker.wait(_backoff(self._site.address(request.address), attempt))
            except CircuitOpen:
                return last
        raise AssertionError("download.attempts is at least 1")

    def _attempt(self, request: Request, known: Row) -> Fetched:
        """Return the result; columns in `known` are kept even after a failure."""
        url = self._site.address(request.address)
        if not is_search(url):
            self._pace.wait("recording", url)
        client = self._client()
        client.reach.of(self._site.address(request.url), by_user=request.entry is None)
        info = client.look_up(url)
        if is_list(info):
            return Fetched(None, self._resolved(request, info))
        title = request.title or title_of(info)
        page = request.address if request.entry is not None else self._site.name(address_of(info, url))
        known |= {"title": title, "video_url": page, "expected_seconds": seconds_of(info)}
        self._save(request, info, known)
        return Fetched(request.row(**known, status="ok"), [])

    def _resolved(self, request: Request, info: dict[str, Any]) -> list[Request]:
        if request.entry is not None:
            raise FetchError("skipped", "a list inside a list: add the URL of the inner list to the soundtrack")
        if self._site.serves(request.url):  # its URLs would contain the port
            raise FetchError("skipped", "a list among the corpus's own files: list its recordings one by one")
        entries = entries_of(info)
        if not entries:
            raise FetchError("gone", "nothing was found")
        return request.of(self._lock.record(request.url, entries))

    def _save(self, request: Request, info: dict[str, Any], known: Row) -> None:
        """Move the recording into place and add its columns to `known`."""
        stated = known["expected_seconds"]
        if (stated or 0.0) > self._settings.max_seconds:
            raise self._too_long(stated)
        part = self._root / request.part(f"{info.get('format_id')} {info.get('filesize')}")
        try:
            self._client().save(info, part)
            result = check(part, stated, self._settings.max_seconds)
            known["expected_seconds"] = result.expected_seconds
            if result.decoded_seconds > self._settings.max_seconds:
                raise self._too_long(result.decoded_seconds)
            known["decoded_seconds"] = result.decoded_seconds
            if result.truncated:
                raise FetchError("transient", f"truncated: {result.truncated}")
            path = request.stem.with_suffix(result.suffix)
            known |= {"bytes": part.stat().st_size, "sha256": sha256_of(part), "path": path.as_posix()}
            known["chapters"] = chapters_of(info, stated or result.decoded_seconds)
            os.replace(part, self._root / path)
        except CutOffError as error:
            raise FetchError("transient", str(error)) from None
        except NotAudioError as error:
            raise FetchError("skipped", str(error)) from None
        finally:
            part.unlink(missing_ok=True)  # yt-dlp's .part file of an interrupted transfer is kept

    def _too_long(self, seconds: float) -> FetchError:
        reason = f"more than download.max_seconds ({self._settings.max_seconds:g})"
        return FetchError("skipped", reason, {"max_seconds": seconds})

    def _client(self) -> Client:
        if not hasattr(self._local, "client"):
            self._local.client = Client(self._settings, self._pace, self._breaker, self._cookies)
            self._clients.append(self._local.client)
        return self._local.client


def _backoff(url: str, attempt: int) -> float:
    """Return the seconds to wait after failed attempt number `attempt`, from 1."""
    first = LOOPBACK_BACKOFF_SECONDS if is_loopback(url) else BACKOFF_SECONDS
    return min(LONGEST_BACKOFF_SECONDS, first * 2.0 ** (attempt - 1)) * random.uniform(*JITTER)
