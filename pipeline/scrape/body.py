"""A response's body, decompressed piecewise: memory and time are bounded for any response."""

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
    """Return the body, at most `max_bytes` compressed or decompressed, within `seconds`; raise `FetchError`."""
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
                raise FetchError("timeout", f"only {len(data)} bytes received in {seconds:g} s")
    except urllib3.exceptions.ReadTimeoutError:
        raise FetchError("timeout", f"no data after {len(data)} bytes") from None
    except urllib3.exceptions.HTTPError:
        raise FetchError("unreachable", f"the connection was lost after {len(data)} bytes") from None
    return bytes(data)


def first_piece(response: requests.Response) -> bytes:
    """Return the beginning of the body; b"" if it cannot be read."""
    try:
        return next(_pieces(response), b"")
    except (FetchError, urllib3.exceptions.HTTPError):
        return b""


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body in pieces of at most 64 KiB; raise `FetchError` if it cannot be decompressed completely."""
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    blocks = iter(lambda: response.raw.read1(BLOCK_BYTES, decode_content=False), b"")
    if packing in ("", "identity"):
        yield from blocks
    elif packing in ("gzip", "x-gzip"):
        try:
            yield from _unpacked(blocks)
        except zlib.error:
            raise FetchError("http_error", "the body cannot be decompressed") from None
    else:
        name = one_line(packing, PACKING_CHARACTERS)
        raise FetchError("http_error", f"the body is encoded as {name}, which was not requested")


def _unpacked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(GZIP)
    for block in blocks:
        while True:
            if unpacker.eof:  # gzip members may be concatenated
                unpacker = zlib.decompressobj(GZIP)
            piece = unpacker.decompress(block, BLOCK_BYTES)
            yield piece
            block = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if not block and (unpacker.eof or len(piece) < BLOCK_BYTES):
                break
    if not unpacker.eof:
        raise FetchError("unreachable", "the compressed body is truncated")
