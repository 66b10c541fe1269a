"""A response's body, unpacked piece by piece, so that memory and time stay bounded whatever a server sends."""

import zlib
from collections.abc import Callable, Iterator

import requests
import urllib3

from pipeline.core.text import one_line
from pipeline.core.web import FetchError

BLOCK_BYTES = 1 << 16
GZIP = 31  # zlib's `wbits` for gzip with a window of any size
PACKING_CHARACTERS = 50


def read_body(response: requests.Response, max_bytes: int, seconds: float, clock: Callable[[], float]) -> bytes:
    """Return the body, at most `max_bytes` packed or unpacked, within `seconds`; raise `FetchError`."""
    length, data = response.headers.get("Content-Length", ""), bytearray()
    if length.isdecimal() and (len(length) > 18 or int(length) > max_bytes):
        raise FetchError("too_large", f"{length[:18]} bytes, more than the {max_bytes} allowed")
    deadline = clock() + seconds
    try:
        for piece in _pieces(response):
            data += piece
            if len(data) > max_bytes:
                raise FetchError("too_large", f"more than the {max_bytes} bytes allowed")
            if clock() > deadline:
                raise FetchError("timeout", f"only {len(data)} bytes came in {seconds:g} s")
    except urllib3.exceptions.ReadTimeoutError:
        raise FetchError("timeout", f"silence after {len(data)} bytes") from None
    except urllib3.exceptions.HTTPError:
        raise FetchError("unreachable", f"the connection broke after {len(data)} bytes") from None
    return bytes(data)


def first_piece(response: requests.Response) -> bytes:
    """Return what the body begins with; b"" when nothing comes of it."""
    try:
        return next(_pieces(response), b"")
    except (FetchError, urllib3.exceptions.HTTPError):
        return b""


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body in pieces of at most 64 KiB; raise `FetchError` when it cannot be unpacked to its end."""
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    blocks = iter(lambda: response.raw.read1(BLOCK_BYTES, decode_content=False), b"")
    if packing in ("", "identity"):
        yield from blocks
    elif packing in ("gzip", "x-gzip"):
        try:
            yield from _unpacked(blocks)
        except zlib.error:
            raise FetchError("http_error", "the body cannot be unpacked") from None
    else:
        name = one_line(packing, PACKING_CHARACTERS)
        raise FetchError("http_error", f"the body is packed as {name}, which was not asked for")


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(GZIP)
    for block in blocks:
        while True:
            if unpacker.eof:  # gzip files may follow one another
                unpacker = zlib.decompressobj(GZIP)
            piece = unpacker.decompress(block, BLOCK_BYTES)
            yield piece
            block = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if not block and (unpacker.eof or len(piece) < BLOCK_BYTES):
                break
    if not unpacker.eof:
        raise FetchError("unreachable", "the body breaks off inside its packing")
