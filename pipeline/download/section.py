"""The section `download` of params.yaml."""

from typing import Literal

from pydantic.dataclasses import dataclass

from pipeline.core.fields import STRICT, Count, Name, NotNegative, Positive, Share

Retry = Literal["gone", "skipped", "given_up"]


@dataclass(frozen=True, config=STRICT)
class Download:
    """Fetching of recordings."""

    workers: Count
    attempts: Count
    request_pause_seconds: NotNegative
    video_pause_seconds: NotNegative
    timeout_seconds: Positive
    max_bytes: Count
    max_seconds: Positive
    max_entries: Count
    cookies: Name | None
    retry: Retry | None
    min_success_rate: Share
