"""A web server on loopback that behaves as badly as the real ones, path by path.

    with FaultServer() as server:
        url = server.put("/a", ok("<html>…</html>"))
        server.put("/b", in_turn(status(429, headers={"Retry-After": "1"}), status(429), ok(b"…", "image/png")))
        …
        server.paths()         # requested paths, in order
        server.requests[0]     # path, headers, time (`time.monotonic()`)
        server.most_at_once    # the most requests answered at the same time

An answer is a function of the request handler; each function below returns one. A path without an answer gives 404.
"""

import gzip
import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = "text/html; charset=utf-8"
BLOCK_BYTES = 1 << 16

Headers = Mapping[str, str]


class Handler(BaseHTTPRequestHandler):
    """One connection, passed to each answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise a body sent after its headers waits 40 ms for the client
    server: "_Server"

    def do_GET(self) -> None:
        self.server.faults.answer(self)

    do_HEAD = do_GET

    def start(self, code: int, headers: Headers) -> None:
        """Send the status line and headers."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        """Send bytes of the body, or nothing for a HEAD request."""
        if self.command != "HEAD":
            self.wfile.write(data)

    def hang_up(self) -> None:
        """Close the connection after this answer, which ends a body without a length."""
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client has seen enough, or the connection was reset
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


Answer = Callable[[Handler], None]


@dataclass(frozen=True)
class Request:
    """One request, at a time of `time.monotonic()`."""

    path: str
    headers: Mapping[str, str]
    time: float


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, faults: "FaultServer") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = faults

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: many tests have clients that hang up."""


class FaultServer:
    """Answers by path, and the requests so far."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.closing = threading.Event()  # ends a stall
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FaultServer":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, answer: Answer) -> str:
        """Set the answer of `path` and return its URL."""
        self.answers[path] = answer
        return self.origin + path

    def paths(self) -> list[str]:
        """Return the paths requested so far."""
        return [request.path for request in self.requests]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()

    def answer(self, handler: Handler) -> None:
        """Record a request and answer it."""
        with self._lock:
            self.requests.append(Request(handler.path, dict(handler.headers), time.monotonic()))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.answers.get(handler.path, status(404))(handler)
        finally:
            with self._lock:
                self._at_once -= 1


def status(code: int, body: bytes = b"", headers: Headers | None = None) -> Answer:
    """Answer with a status, its headers and a body of known length."""

    def answer(handler: Handler) -> None:
        handler.start(code, {"Content-Length": str(len(body))} | dict(headers or {}))
        handler.send(body)

    return answer


def ok(body: bytes | str, kind: str = HTML, headers: Headers | None = None) -> Answer:
    """Answer 200 with a body; an empty `kind` sends no Content-Type."""
    data = body.encode() if isinstance(body, str) else body
    return status(200, data, ({"Content-Type": kind} if kind else {}) | dict(headers or {}))


def redirect(target: str, code: int = 301) -> Answer:
    """Answer with a redirect; a path that redirects to itself is a loop."""
    return status(code, headers={"Location": target})


def cached(body: bytes | str, kind: str = HTML, etag: str = "", modified: str = "") -> Answer:
    """Answer 200 with validators, or 304 to a request that sends them."""
    full = ok(body, kind, {n: v for n, v in (("ETag", etag), ("Last-Modified", modified)) if v})

    def answer(handler: Handler) -> None:
        known = handler.headers.get("If-None-Match"), handler.headers.get("If-Modified-Since")
        unchanged = known[0] == etag if known[0] else known[1] is not None and known[1] == modified
        (status(304, headers={"ETag": etag} if etag else {}) if unchanged else full)(handler)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Give the answers in turn, then keep repeating the last one."""
    waiting, lock = list(answers), threading.Lock()

    def answer(handler: Handler) -> None:
        with lock:
            current = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        current(handler)

    return answer


def stall(after: bytes = b"", kind: str = HTML) -> Answer:
    """Never answer; with `after`, send headers and these bytes of a longer body first."""

    def answer(handler: Handler) -> None:
        if after:
            handler.start(200, {"Content-Type": kind, "Content-Length": str(len(after) + 1000)})
            handler.send(after)
        handler.server.faults.closing.wait()
        handler.hang_up()

    return answer


def trickle(pause_seconds: float, kind: str = HTML) -> Answer:
    """Send single bytes with pauses, endlessly."""

    def answer(handler: Handler) -> None:
        handler.hang_up()
        handler.start(200, {"Content-Type": kind})
        while not handler.server.faults.closing.wait(pause_seconds):
            handler.send(b"x")

    return answer


def reset(body: bytes, sent: int, kind: str = HTML) -> Answer:
    """Announce `body`, send its first `sent` bytes, and reset the connection; 0 resets before the status line."""

    def answer(handler: Handler) -> None:
        if sent:
            handler.start(200, {"Content-Type": kind, "Content-Length": str(len(body))})
            handler.send(body[:sent])
        handler.reset()

    return answer


def truncated(body: bytes, sent: int, kind: str = HTML) -> Answer:
    """Announce the whole `body`, send its first `sent` bytes, and close the connection cleanly."""

    def answer(handler: Handler) -> None:
        handler.hang_up()
        handler.start(200, {"Content-Type": kind, "Content-Length": str(len(body))})
        handler.send(body[:sent])

    return answer


def large(size: int, kind: str = HTML, length: bool = True) -> Answer:
    """Stream `size` bytes of spaces, with or without Content-Length."""

    def answer(handler: Handler) -> None:
        handler.hang_up()
        handler.start(200, {"Content-Type": kind} | ({"Content-Length": str(size)} if length else {}))
        block = b" " * BLOCK_BYTES
        for start in range(0, size, BLOCK_BYTES):
            handler.send(block[: size - start])

    return answer


def gzip_bomb(size: int, kind: str = HTML) -> Answer:
    """Send about `size` / 1000 bytes that unpack to `size` spaces."""
    return ok(_bomb(size), kind, {"Content-Encoding": "gzip"})


def packed(body: bytes | str, kind: str = HTML) -> Answer:
    """Answer 200 with a valid gzip body."""
    data = body.encode() if isinstance(body, str) else body
    return ok(gzip.compress(data, mtime=0), kind, {"Content-Encoding": "gzip"})


def image_bomb(width: int, height: int) -> bytes:
    """Return a small all-black PNG file, one bit per pixel, that unpacks to `width` × `height` pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def http_date(seconds: float) -> str:
    """Return the date `seconds` from now in the format of HTTP headers."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@lru_cache
def _bomb(size: int) -> bytes:
    packer, block = zlib.compressobj(wbits=31), b" " * BLOCK_BYTES
    parts = [packer.compress(block[: size - start]) for start in range(0, size, BLOCK_BYTES)]
    return b"".join([*parts, packer.flush()])
