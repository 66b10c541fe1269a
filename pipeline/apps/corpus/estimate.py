"""An estimate for fetching a corpus from the web: pages, posters and recordings, bytes and time.

Counts follow from the list; sizes and lengths are the assumptions below, right within a factor of about two. Files
served by the corpus itself cost nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from pipeline.corpus import ORIGIN, Film
from pipeline.download.section import Download
from pipeline.scrape.section import Scrape

PAGE_BYTES = (
    60_000  # of a film's article, gzip; saved pages of 17 to 104 KB unpacked have 5 to 25 KB, current ones more
)
POSTER_BYTES = 40_000  # Wikipedia keeps non-free posters under 100,000 pixels
BYTES_A_SECOND = 130_000 / 8  # of audio: YouTube's best is Opus or AAC at about 130 kbit/s
TRACK_SECONDS = 240.0  # of a listed recording: a track
FOUND_SECONDS = 1200.0  # of a search result: a track or, in about one of three, a whole album
PLAYLIST_RECORDINGS = 20  # of a playlist: the tracks of an album
REQUESTS_A_RECORDING = 4  # the page, the player, the formats and the file
REQUESTS_A_SEARCH = 1  # also of a playlist
LINE_BYTES_A_SECOND = 1_000_000  # of a download; YouTube often sends less

SEARCH = re.compile(r"ytsearch([0-9]*):")
YOUTUBE = ("youtube.com", "youtube-nocookie.com", "youtu.be")
SET_PATHS = ("/playlist", "/sets/", "/album/", "/albums/")  # of YouTube, SoundCloud, Bandcamp and others


@dataclass(frozen=True)
class Estimate:
    """Counts, bytes to download, seconds of waiting and of audio."""

    pages: int
    posters: int
    recordings: int  # including those of searches and playlists
    searches: int
    playlists: int  # of unknown length
    bytes: int
    seconds: float
    audio_seconds: float


def estimate(films: Iterable[Film], scrape: Scrape, download: Download) -> Estimate:
    """Return the estimate for fetching all of `films` at the rates of the parameters, from scratch."""
    pages = posters = named = found = searches = playlists = 0
    for film in films:
        pages += _on_the_web(film.wikipedia)
        posters += _on_the_web(film.image or film.wikipedia)
        for url in filter(_on_the_web, film.soundtrack):
            if search := SEARCH.match(url):
                searches += 1
                found += min(int(search[1] or 1), download.max_entries)
            elif _is_playlist(url):
                playlists += 1
            else:
                named += 1
    tracks = named + playlists * min(PLAYLIST_RECORDINGS, download.max_entries)
    recordings = tracks + found
    audio_seconds = min(TRACK_SECONDS, download.max_seconds) * tracks + min(FOUND_SECONDS, download.max_seconds) * found
    audio_bytes = round(audio_seconds * BYTES_A_SECOND)
    requests = recordings * REQUESTS_A_RECORDING + (searches + playlists) * REQUESTS_A_SEARCH
    pauses = recordings * download.video_pause_seconds + requests * download.request_pause_seconds
    scraping = (pages + posters) * 60.0 / scrape.requests_per_minute
    seconds = scraping + max(pauses, audio_bytes / LINE_BYTES_A_SECOND)  # while one worker pauses, another downloads
    size = pages * PAGE_BYTES + posters * POSTER_BYTES + audio_bytes
    return Estimate(pages, posters, recordings, searches, playlists, size, seconds, audio_seconds)


def _on_the_web(url: str) -> bool:
    return bool(url) and not url.startswith(ORIGIN)


def _is_playlist(url: str) -> bool:
    """Return whether `url` is a set of recordings; a video inside a playlist is one recording."""
    parts = urlsplit(url)
    host, query = parts.hostname or "", parse_qs(parts.query)
    if any(host == domain or host.endswith("." + domain) for domain in YOUTUBE):
        return "list" in query and "v" not in query and parts.path.rstrip("/") in ("/playlist", "/watch")
    return any(path in parts.path for path in SET_PATHS)
