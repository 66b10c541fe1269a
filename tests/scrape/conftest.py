"""A web site on loopback whose answers a test writes down, and which notes what it was asked."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.sections import Scrape

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Site:
    """`answers` by path: an answer, a list of answers used up one by one, or a function on the handler."""

    origin: str
    answers: dict[str, Answer | list[Answer] | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def html(self, path: str, body: str) -> None:
        self.answers[path] = (200, {"Content-Type": "text/html; charset=utf-8"}, body.encode())


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            running.asked.append(self.path)
            running.headers.append(dict(self.headers))
            answer = running.answers.get(self.path, (404, {}, b"nothing here"))
            if callable(answer):
                self.close_connection = True
                return answer(self)
            status, headers, body = answer.pop(0) if isinstance(answer, list) else answer
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Site(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    server.shutdown()
    server.server_close()


@pytest.fixture
def scrape() -> Scrape:
    return Scrape(
        requests_per_minute=60.0,
        attempts=3,
        timeout_seconds=10.0,
        max_page_bytes=20_000,
        max_poster_bytes=20_000,
        min_success_rate=0.1,
    )
