"""The section `scrape` of params.yaml."""

from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, Positive, Share


@dataclass(frozen=True, config=STRICT)
class Scrape:
    """Fetching of pages and posters."""

    requests_per_minute: Positive
    attempts: Count
    timeout_seconds: Positive
    max_wait_seconds: Positive
    max_page_bytes: Count
    max_poster_bytes: Count
    poster_hosts: list[Name]
    refresh: bool
    min_success_rate: Share
