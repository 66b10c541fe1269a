"""Short excerpts of tracks, and posters, small enough to embed in a report.

Without data/audio or data/image, as after fetching features and rankings only, the report has none.
"""

import base64
import logging
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.compare.films import Card, Track
from pipeline.compare.section import Compare
from pipeline.core.errors import MissingFileError
from pipeline.media.audio import NotAudioError, mono, write_mp3

log = logging.getLogger(__name__)

AUDIO, IMAGES = "data/audio", "data/image"
SAMPLE_RATE = 22050  # Hz; MPEG-2 Layer III, made for low bit rates


def tracks_in_order(cards: list[Card]) -> list[Track]:
    """Return the tracks of `cards`, each once: all first places, then all second places, …"""
    depth = max(len(listing.places) for card in cards for listing in card.listings)
    places = [
        listing.places[place].track
        for place in range(depth)
        for card in cards
        for listing in card.listings
        if place < len(listing.places)
    ]
    return list({track.path: track for track in places}.values())


def embed_excerpts(root: Path, tracks: list[Track], params: Compare) -> dict[str, str]:
    """Return data URIs of excerpts by path, for as many of `tracks` as fit into `compare.max_audio_bytes`.

    Without data/audio there are none.
    """
    if not (root / AUDIO).is_dir():
        log.warning("%s is missing: the report will have no players; run `dvc repro segment`", AUDIO)
        return {}
    uris: dict[str, str] = {}
    room = params.max_audio_bytes
    for track in tqdm(tracks, desc="excerpts", disable=None):
        uri = data_uri("audio/mpeg", excerpt(root, track, params.excerpt_seconds, params.excerpt_bit_rate))
        if len(uri) > room:
            break
        uris[track.path] = uri
        room -= len(uri)
    return uris


def excerpt(root: Path, track: Track, seconds: float, bit_rate: int) -> bytes:
    """Return MP3 of `seconds` from the middle of `track`, or all of a shorter track."""
    path = root / track.path
    start = round(max(0.0, (track.seconds - seconds) / 2) * SAMPLE_RATE)
    end = start + round(seconds * SAMPLE_RATE)
    blocks, length = [], 0
    try:
        for block in mono(path, SAMPLE_RATE):
            blocks.append(block[max(0, start - length) : max(0, end - length)])
            length += len(block)
            if length >= end:
                break
    except (OSError, NotAudioError) as error:
        raise MissingFileError(f"{path} cannot be read ({error}): run `dvc repro segment`") from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "excerpt.mp3"
        write_mp3(file, np.concatenate(blocks), SAMPLE_RATE, bit_rate)
        return file.read_bytes()


def embed_posters(root: Path, cards: list[Card]) -> dict[str, str]:
    """Return data URIs of posters by fid, for films that have one; without data/image there are none."""
    if not (root / IMAGES).is_dir():
        log.warning("%s is missing: the report will have no posters; run `dvc repro parse`", IMAGES)
        return {}
    return {card.fid: _poster(root / card.image) for card in cards if card.image}


def data_uri(kind: str, content: bytes) -> str:
    """Return `content` as a data URI of media type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _poster(path: Path) -> str:
    try:
        return data_uri("image/jpeg", path.read_bytes())
    except OSError as error:
        raise MissingFileError(f"{path} cannot be read ({error.strerror}): run `dvc repro parse`") from None
