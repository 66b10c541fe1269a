"""Fetching all that is missing, in threads: each has its own client and waits between its requests."""

import hashlib
import ipaddress
import logging
import os
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from pipeline.audio import NotAudioError
from pipeline.corpus import ORIGIN
from pipeline.download.check import check
from pipeline.download.client import Client
from pipeline.download.failures import AGAIN_AT_ONCE, FetchError
from pipeline.download.rows import Request, limit_of, save_row, settled_row
from pipeline.files import BLOCK_BYTES, sha256_of
from pipeline.sections import Download
from pipeline.serve import with_origin

log = logging.getLogger(__name__)


def fetch_all(root: Path, requests: Iterable[Request], origin: str, settings: Download) -> list[dict[str, Any]]:
    """Return a row a request, in their order; fetch those that no earlier run settled."""
    requests = list(requests)
    rows = {request: _row_that_holds(root, request, origin, settings) for request in requests}
    missing = [request for request in requests if rows[request] is None]
    log.info("download: %d URLs, of which %d are to be fetched", len(requests), len(missing))
    with closing(_Fetcher(root, origin, settings)) as fetcher, ThreadPoolExecutor(settings.workers) as pool:
        futures = {pool.submit(fetcher.fetch, request): request for request in missing}
        try:
            for future in tqdm(as_completed(futures), total=len(futures), unit="file", disable=None):
                rows[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [rows[request] for request in requests]


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine: it is not kept waiting."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Fetcher:
    """What the threads share: the hosts that asked us to stop, and a client a thread."""

    def __init__(self, root: Path, origin: str, settings: Download) -> None:
        self._root = root
        self._origin = origin
        self._settings = settings
        self._local = threading.local()
        self._clients: list[Client] = []
        self._stopped: dict[str, str] = {}  # host: reason

    def fetch(self, request: Request) -> dict[str, Any]:
        """Fetch, check and put one recording into its place; return its row, which is saved as well."""
        url = with_origin(request.url, self._origin)
        known: dict[str, Any] = {}
        for attempt in range(1, self._settings.attempts + 1):
            try:
                self._wait(url)
                row = request.row(**self._download(request, url, known), status="ok")
            except FetchError as error:
                limit = limit_of(error.status, self._settings)
                row = request.row(**known, status=error.status, reason=error.reason, limit=limit)
                if error.stops_host and not is_loopback(url):
                    self._stopped[_host(url)] = error.reason
                if error.status in AGAIN_AT_ONCE and attempt < self._settings.attempts:
                    log.debug("%s: attempt %d: %s", request.url, attempt, error)
                    continue
            break
        save_row(self._root, request, row)
        return row

    def close(self) -> None:
        """Close all clients."""
        for client in self._clients:
            client.close()

    def _wait(self, url: str) -> None:
        if is_loopback(url):
            return
        if reason := self._stopped.get(_host(url)):
            raise FetchError("blocked", f"not asked, since {_host(url)} wants no more requests for now: {reason}")
        last = getattr(self._local, "last", None)
        if last is not None:
            time.sleep(max(0.0, last + self._settings.pause_seconds - time.monotonic()))
        self._local.last = time.monotonic()

    def _client(self) -> Client:
        if not hasattr(self._local, "client"):
            self._local.client = Client(self._settings)
            self._clients.append(self._local.client)
        return self._local.client

    def _download(self, request: Request, url: str, known: dict[str, Any]) -> dict[str, Any]:
        """Return the columns of a recording that is in its place; put into `known` what is worth telling anyway."""
        client, part = self._client(), self._root / request.part
        known.clear()
        info = client.look_up(url)
        known |= {"title": info.get("title") or "", "expected_seconds": _seconds(info.get("duration"))}
        if (known["expected_seconds"] or 0.0) > self._settings.max_seconds:
            raise self._too_long()
        try:
            client.save(info, part)
            result = check(part, known["expected_seconds"], self._settings.max_seconds)
            known["expected_seconds"] = result.expected_seconds
            if result.decoded_seconds > self._settings.max_seconds:
                raise self._too_long()
            known["decoded_seconds"] = result.decoded_seconds
            if result.truncated:
                lengths = f"{result.decoded_seconds:.1f} of {result.expected_seconds:.1f} s"
                raise FetchError("truncated", f"only {lengths} can be decoded")
            path = request.stem.with_suffix(result.suffix)
            facts = {"path": path.as_posix(), "bytes": part.stat().st_size, "sha256": sha256_of(part)}
            os.replace(part, self._root / path)
            return known | facts
        except NotAudioError as error:
            raise FetchError("not_audio", str(error)) from None
        finally:
            part.unlink(missing_ok=True)  # of a transfer that broke off, yt-dlp's own .part file stays

    def _too_long(self) -> FetchError:
        return FetchError("too_long", f"more than download.max_seconds ({self._settings.max_seconds:g})")


def _row_that_holds(root: Path, request: Request, origin: str, settings: Download) -> dict[str, Any] | None:
    row = settled_row(root, request, settings)
    if row is None or not request.url.startswith(ORIGIN):
        return row
    # What the corpus itself serves may have been made anew under the same name, and asking costs nothing.
    served = _digest(with_origin(request.url, origin), settings.timeout_seconds)
    return row if served is not None and served == row["sha256"] else None


def _digest(url: str, timeout_seconds: float) -> str | None:
    """Return the SHA-256 of what the loopback server gives for `url`, None when it gives nothing."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    digest = hashlib.sha256()
    try:
        with opener.open(url, timeout=timeout_seconds) as response:
            while block := response.read(BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def _host(url: str) -> str:
    host = urlsplit(url).hostname or "youtube.com"  # a search has none
    return "youtube.com" if host == "youtu.be" or host.endswith((".youtube.com", "-nocookie.com")) else host


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None
