"""A cache of open indexes: each is opened once, even for concurrent requests, and stays open while memory allows.

Opening an index may include building it, which takes minutes. Each is therefore opened in its own thread, and callers
get a future: waiting for one index does not block requests for another.
"""

import logging
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.apps.recommend.index import TrackIndex
from pipeline.apps.recommend.libraries import SearchableLibrary
from pipeline.apps.recommend.search import ApproximateSearch, Search, open_search, recall_of
from pipeline.apps.recommend.summary import summary_of
from pipeline.apps.recommend.trained import Model
from pipeline.params import Recommend

log = logging.getLogger(__name__)

OPEN_BYTES = 1_000_000_000  # of open indexes; the least recently used ones are released

Key = tuple[str, str]  # a library's name, a model's name


@dataclass(frozen=True)
class Opened:
    """An index and its search."""

    index: TrackIndex
    search: Search

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The summary of its tracks (`summary_of`)."""
        return summary_of(self.index)


class OpenIndexes:
    """The indexes that are open or being opened, by library and model."""

    def __init__(self, params: Recommend) -> None:
        self._params = params
        self._lock = threading.Lock()  # held for moments only
        self._indexes: OrderedDict[Key, Future[Opened]] = OrderedDict()

    def get(self, name: str, library: SearchableLibrary, model: Model) -> Future[Opened]:
        """Return the index of `library`, named `name`, for `model`; open it if necessary.

        The future has the exception that `library.index` raises; the next call tries again.
        """
        key = (name, model.name)
        with self._lock:
            if key not in self._indexes:
                future: Future[Opened] = Future()
                future.set_running_or_notify_cancel()  # so that a caller cannot cancel it for others
                self._indexes[key] = future
                arguments = (key, library, model, future)
                threading.Thread(target=self._open, args=arguments, name=f"opening {name}", daemon=True).start()
            self._indexes.move_to_end(key)
            return self._indexes[key]

    def forget(self, name: str) -> None:
        """Release the indexes of the library `name`; the next call opens them again."""
        with self._lock:
            for key in [key for key in self._indexes if key[0] == name]:
                del self._indexes[key]

    def _open(self, key: Key, library: SearchableLibrary, model: Model, future: "Future[Opened]") -> None:
        try:
            index = library.index(model)
            opened = Opened(index, self._search(key[0], index))
        except BaseException as error:  # callers would otherwise wait forever
            with self._lock:
                if self._indexes.get(key) is future:
                    del self._indexes[key]
            future.set_exception(error)
            return
        with self._lock:
            if self._indexes.get(key) is future:
                self._let_go(index.bytes)
                self._indexes.move_to_end(key)
            future.set_result(opened)

    def _search(self, name: str, index: TrackIndex) -> Search:
        search = open_search(index, self._params)
        if isinstance(search, ApproximateSearch):
            recall, count = recall_of(search)
            log.info(
                "%s: approximate search has a recall of %.3f (of the 20 nearest tracks, measured with %d tracks as "
                "queries)",
                name,
                recall,
                count,
            )
        return search

    def _let_go(self, needed: int) -> None:
        """Release indexes until there is room for `needed` more bytes, or none is open."""
        is_open = {key: future.result().index.bytes for key, future in self._indexes.items() if future.done()}
        for key in list(is_open):
            if needed + sum(is_open.values()) <= OPEN_BYTES:
                break
            del is_open[key], self._indexes[key]
