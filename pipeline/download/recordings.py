"""Fetching all that is missing, in threads, up to where the web refuses us."""

import logging
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tqdm import tqdm

from pipeline.core.errors import StageError
from pipeline.core.web import Pace
from pipeline.corpus.site import Site
from pipeline.download.breaker import CircuitBreaker, Refusal
from pipeline.download.cookies import read_cookies
from pipeline.download.failures import AGAIN_NEXT_RUN
from pipeline.download.fetch import Fetcher
from pipeline.download.lock import Lock
from pipeline.download.rows import Request, Row, earlier_row, is_settled, order_of
from pipeline.download.section import Download

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """All rows by film, number and entry, and the refusals that ended the run, else None."""

    rows: list[Row]
    refusal: Refusal | None


def fetch_all(
    root: Path, items: Iterable[Request], site: Site, settings: Download, lock: Lock, breaker: CircuitBreaker
) -> Outcome:
    """Return a row a recording; fetch those that no earlier run settled.

    What a list led to comes next, so that a thousand searches do not go out without a recording between them. What the
    web refused the last time is asked last: it does not keep the rest from being fetched.
    """
    cookies = read_cookies(root, settings.cookies)
    rows: dict[Request, Row] = {}
    missing = []
    for item in items:
        site.address(item.url)  # raises `CorpusError` before anything is asked
        entries = lock.entries(item.url)
        missing += _unsettled(root, [item] if entries is None else item.of(entries), site, settings, rows)
    missing.sort(key=lambda request: _was_refused(root, request))
    log.info("download: %d recordings are done, %d are to be fetched", len(rows), len(missing))
    pace = Pace(intervals_of(settings), time.monotonic, breaker.wait)
    with (
        closing(Fetcher(root, site, settings, lock, breaker, pace, cookies)) as fetcher,
        ThreadPoolExecutor(settings.workers) as pool,
        tqdm(total=len(missing), unit="file", disable=None) as progress,
    ):
        waiting = deque(missing)
        running: dict[Future, Request] = {}
        done: SimpleQueue[Future] = SimpleQueue()
        known = len(missing)
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
                progress.total = known
                progress.update()
        except BaseException:
            breaker.release()
            raise
    return Outcome([rows[request] for request in sorted(rows, key=order_of)], breaker.refusal)


def intervals_of(settings: Download) -> dict[str, float]:
    """Return the seconds between two requests, and between two recordings, for `Pace`."""
    return {"request": settings.request_pause_seconds, "recording": settings.video_pause_seconds}


def require_answers(outcome: Outcome) -> None:
    """Raise `StageError` when the web refused us: it says how far the run came and how to go on."""
    if outcome.refusal is None:
        return
    left = sum(row["status"] in AGAIN_NEXT_RUN for row in outcome.rows)
    raise StageError(
        f"download: stopped, since {len(outcome.refusal.addresses)} requests in a row were refused, "
        f"the last with: {outcome.refusal.answer}\n"
        f"  {len(outcome.rows) - left} of {len(outcome.rows)} recordings are done, {left} are left; "
        "nothing that is here is lost.\n"
        "  Resume later, in some hours rather than minutes, with `dvc repro download`. A longer pause\n"
        "  (download.video_pause_seconds) or cookies of your own (download.cookies) may help. What is refused in\n"
        f"  every run, while other recordings come through, is to be taken out of meta.json. Refused were: "
        f"{', '.join(outcome.refusal.addresses)}."
    )


def _unsettled(
    root: Path, requests: Iterable[Request], site: Site, settings: Download, rows: dict[Request, Row]
) -> list[Request]:
    """Return the requests that are to be fetched; put the rows of the others into `rows`."""
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
    # What the corpus itself serves may have been made anew under the same name, and asking costs nothing.
    served = site.sha256(request.url)
    if row["status"] == "ok":
        return served == row["sha256"] and is_settled(root, row, settings)
    return row["status"] == "gone" and served is None


def _was_refused(root: Path, request: Request) -> bool:
    row = earlier_row(root, request)
    return row is not None and row["status"] == "blocked"
