"""Why nothing usable came back: `status` is the word for the row, `reason` the sentence."""

PASSING = frozenset({"timeout", "unreachable", "server_error", "rate_limited"})  # tried again, now and in the next run
NEXT_RUN = PASSING | {"forbidden", "no_contact", "not_asked"}  # tried again in the next run
BY_PARAMETERS = frozenset({"too_large", "bad_redirect", "host_not_allowed"})  # tried again when the limits are others


class FetchError(Exception):
    """Nothing usable came back; `redirects` holds the URLs that had led on before."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.redirects: tuple[str, ...] = ()
