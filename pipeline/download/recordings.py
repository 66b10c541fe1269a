"""Fetching all missing recordings, in threads, until requests are refused or nearly all fail."""

import logging
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import get_args

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from pipeline.core.errors import StageError
from pipeline.core.tables import require_success
from pipeline.core.web import Pace
from pipeline.corpus.site import Site
from pipeline.download.breaker import CircuitBreaker, Stop
from pipeline.download.cookies import read_cookies
from pipeline.download.failures import AGAIN_NEXT_RUN, may_be_outdated
from pipeline.download.fetch import Fetcher
from pipeline.download.lock import Lock
from pipeline.download.rows import Request, Row, earlier_row, is_settled, order_of, save_row
from pipeline.download.section import Download, Retry

log = logging.getLogger(__name__)

SHOW_SECONDS = 30.0  # between two lines of progress without a terminal
UPDATE = "update yt-dlp with `pip install -U yt-dlp`"


@dataclass(frozen=True)
class Outcome:
    """All rows by film, number and entry; the reason for stopping and doubted failures, or None."""

    rows: list[Row]
    stop: Stop | None
    doubt: Stop | None


def fetch_all(
    root: Path, items: Iterable[Request], site: Site, settings: Download, lock: Lock, breaker: CircuitBreaker
) -> Outcome:
    """Return one row per recording; fetch those without a final status from an earlier run.

    Entries of a list are fetched right after it, to avoid sending a thousand searches in a row. Recordings that
    failed in the last run are tried last, and do not delay the others. A recording that is `gone` for the same reason
    as nearly all others of this run is tried once more in the next run before that is accepted.
    """
    cookies = read_cookies(root, settings.cookies)
    rows: dict[Request, Row] = {}
    missing = []
    for item in items:
        site.address(item.url)  # raises `CorpusError` before any request
        entries = lock.entries(item.url)
        missing += _unsettled(root, [item] if entries is None else item.of(entries), site, settings, rows)
    missing.sort(key=lambda request: _failures_before(root, request))
    log.info("download: %d recordings are done, %d remain to be fetched", len(rows), len(missing))
    pace = Pace(intervals_of(settings), time.monotonic, breaker.wait)
    with (
        closing(Fetcher(root, site, settings, lock, breaker, pace, cookies)) as fetcher,
        ThreadPoolExecutor(settings.workers) as pool,
        tqdm(total=len(missing), unit="file", disable=None) as progress,
        logging_redirect_tqdm(),
    ):
        waiting = deque(missing)
        running: dict[Future, Request] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        known, completed, shown = len(missing), 0, time.monotonic()
        try:
            while waiting or running:
                while waiting and len(running) < settings.workers:
                    request = waiting.popleft()
                    future = pool.submit(fetcher.fetch, request)
                    running[future] = request
                    future.add_done_callback(done.put)
                future = done.get()
                request, fetched = running.pop(future), future.result()
                if fetched.row is not None:
                    rows[request] = fetched.row
                inner = _unsettled(root, fetched.requests, site, settings, rows)
                waiting.extendleft(reversed(inner))
                known += len(inner)
                completed += 1
                progress.total = known
                progress.update()
                if progress.disable and time.monotonic() - shown > SHOW_SECONDS:
                    log.info("download: %d of %d", completed, known)
                    shown = time.monotonic()
        except BaseException:
            breaker.release()
            raise
    doubt = breaker.doubt
    doubted = doubt.addresses if doubt is not None else ()
    for request, row in rows.items():
        if request.address in doubted and row["status"] == "gone":
            rows[request] = row | {"status": "transient", "needs": None}
            save_row(root, request, rows[request])
    return Outcome([rows[request] for request in sorted(rows, key=order_of)], breaker.stop, doubt)


def intervals_of(settings: Download) -> dict[str, float]:
    """Return the seconds between two requests, and between two recordings, for `Pace`."""
    return {"request": settings.request_pause_seconds, "recording": settings.video_pause_seconds}


def require_answers(outcome: Outcome) -> None:
    """Raise `StageError` if the run stopped, or nothing was fetched, with the progress and how to resume."""
    stop = outcome.stop or (None if any(row["status"] == "ok" for row in outcome.rows) else outcome.doubt)
    left = sum(row["status"] in AGAIN_NEXT_RUN for row in outcome.rows)
    if stop is None:
        if outcome.doubt is not None:
            log.warning(
                "download: %d recordings failed for one reason: %s. %s",
                *(len(outcome.doubt.addresses), outcome.doubt.answer, _advice(outcome.doubt.answer)),
            )
        return
    if not stop.refused:
        raise StageError(
            f"download: {'stopped, because ' if outcome.stop else ''}{len(stop.addresses)} recordings failed for one "
            f"reason: {stop.answer}\n"
            f"  {len(outcome.rows) - left} of {len(outcome.rows)} recordings are done, {left} remain; "
            "fetched recordings are kept.\n"
            f"  {_advice(stop.answer)}"
        )
    raise StageError(
        f"download: stopped, because {len(stop.addresses)} consecutive requests were refused, "
        f"the last with: {stop.answer}\n"
        f"  {len(outcome.rows) - left} of {len(outcome.rows)} recordings are done, {left} remain; "
        "fetched recordings are kept.\n"
        "  Resume later, after some hours rather than minutes, with `dvc repro download`. A longer pause\n"
        "  (download.video_pause_seconds) or your own cookies (download.cookies) may help"
        f"{f', or {UPDATE}' if may_be_outdated(stop.answer) else ''}. Remove recordings from meta.json that\n"
        "  are refused in every run while others succeed. Refused: "
        f"{', '.join(stop.addresses)}."
    )


def require_recordings(outcome: Outcome, min_success_rate: float) -> None:
    """Raise `StageError` if too few recordings are fetched; the message has the parameter to retry final failures."""
    try:
        require_success(outcome.rows, min_success_rate, "download", "recordings")
    except StageError as error:
        settled = {row["status"] for row in outcome.rows} & set(get_args(Retry))
        if not settled:
            raise
        asks = f"To retry recordings, set `download.retry` in params.yaml to {' or '.join(sorted(settled))}."
        raise StageError(f"{error}\n{asks}") from None


def _advice(reason: str) -> str:
    """Return the advice for many failures with one reason."""
    again = "then run `dvc repro download` again; a second failure for the same reason is accepted"
    if may_be_outdated(reason):
        return f"yt-dlp may be outdated: {UPDATE}, {again}."
    return f"Check the network and the sites, {again}."


def _unsettled(
    root: Path, requests: Iterable[Request], site: Site, settings: Download, rows: dict[Request, Row]
) -> list[Request]:
    """Return the requests to fetch; put the rows of the others into `rows`."""
    missing = []
    for request in requests:
        row = earlier_row(root, request)
        if row is not None and _holds(root, request, row, site, settings):
            rows[request] = row
        else:
            missing.append(request)
    return missing


def _holds(root: Path, request: Request, row: Row, site: Site, settings: Download) -> bool:
    if not site.serves(request.url):
        return is_settled(root, row, settings)
    # Files that the corpus itself serves may have been replaced under the same name, and fetching them is cheap.
    served = site.sha256(request.url)
    if row["status"] == "ok":
        return served == row["sha256"] and is_settled(root, row, settings)
    return row["status"] == "gone" and served is None


def _failures_before(root: Path, request: Request) -> int:
    """Return the order of a request: 0 for a new one, more, for later, if it failed in the last run."""
    row = earlier_row(root, request)
    return ("transient", "blocked").index(row["status"]) + 1 if row and row["status"] in AGAIN_NEXT_RUN else 0
