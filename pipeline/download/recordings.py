"""Fetching all that is missing, in threads, up to where the web refuses us or nearly everything fails."""

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

UPDATE = "update yt-dlp with `pip install -U yt-dlp`"


@dataclass(frozen=True)
class Outcome:
    """All rows by film, number and entry, what stopped the run, and failures that may be ours; else None."""

    rows: list[Row]
    stop: Stop | None
    doubt: Stop | None


def fetch_all(
    root: Path, items: Iterable[Request], site: Site, settings: Download, lock: Lock, breaker: CircuitBreaker
) -> Outcome:
    """Return a row a recording; fetch those that no earlier run settled.

    What a list led to comes next, so that a thousand searches do not go out without a recording between them. What
    failed the last time is asked last: it does not keep the rest from being fetched. A recording that is `gone` for the
    same reason as nearly all others of this run is asked once more by the next run before that is believed.
    """
    cookies = read_cookies(root, settings.cookies)
    rows: dict[Request, Row] = {}
    missing = []
    for item in items:
        site.address(item.url)  # raises `CorpusError` before anything is asked
        entries = lock.entries(item.url)
        missing += _unsettled(root, [item] if entries is None else item.of(entries), site, settings, rows)
    missing.sort(key=lambda request: _failures_before(root, request))
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
    """Raise `StageError` when the run stopped, or nothing came of it: how far it came, and how to go on."""
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
            f"download: {'stopped, since ' if outcome.stop else ''}{len(stop.addresses)} recordings failed for one "
            f"reason: {stop.answer}\n"
            f"  {len(outcome.rows) - left} of {len(outcome.rows)} recordings are done, {left} are left; "
            "nothing that is here is lost.\n"
            f"  {_advice(stop.answer)}"
        )
    raise StageError(
        f"download: stopped, since {len(stop.addresses)} requests in a row were refused, "
        f"the last with: {stop.answer}\n"
        f"  {len(outcome.rows) - left} of {len(outcome.rows)} recordings are done, {left} are left; "
        "nothing that is here is lost.\n"
        "  Resume later, in some hours rather than minutes, with `dvc repro download`. A longer pause\n"
        "  (download.video_pause_seconds) or cookies of your own (download.cookies) may help"
        f"{f', or {UPDATE}' if may_be_outdated(stop.answer) else ''}. What is refused in\n"
        "  every run, while other recordings come through, is to be taken out of meta.json. Refused were: "
        f"{', '.join(stop.addresses)}."
    )


def require_recordings(outcome: Outcome, min_success_rate: float) -> None:
    """Raise `StageError` when too few recordings are here; it names how to ask again for what is settled."""
    try:
        require_success(outcome.rows, min_success_rate, "download", "recordings")
    except StageError as error:
        settled = {row["status"] for row in outcome.rows} & set(get_args(Retry))
        if not settled:
            raise
        asks = f"`download.retry` in params.yaml asks again for what is {' or '.join(sorted(settled))}, one at a time."
        raise StageError(f"{error}\n{asks}") from None


def _advice(reason: str) -> str:
    """Return what to do about many failures for one reason."""
    again = "then run `dvc repro download` again: what fails in the same way once more is believed"
    if may_be_outdated(reason):
        return f"An outdated yt-dlp gets such answers: {UPDATE}, {again}."
    return f"Look whether the network and the sites work, {again}."


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


def _failures_before(root: Path, request: Request) -> int:
    """Return how late a request is asked: 0 of a new one, more of one that failed the last time."""
    row = earlier_row(root, request)
    return ("transient", "blocked").index(row["status"]) + 1 if row and row["status"] in AGAIN_NEXT_RUN else 0
