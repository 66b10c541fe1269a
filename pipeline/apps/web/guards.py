"""What stands before the application: headers that close the browser's doors, which name of this server a request may
call, how long it may be, and what becomes of a failure that nobody foresaw.

Pure ASGI: each wraps the next application.
"""

import logging
import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

POLICY = {  # of the page: only what this server sends, and pictures that the page itself was given
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "media-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other page plays the music or shows the posters
    "Cache-Control": "no-cache",
}
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:\[\]]+)(?::\d+)?", re.IGNORECASE)  # name or address, and a port
DRAINED = 4  # times the limit are read and thrown away, so that the client comes to hear why it is refused


def problem(status: int, message: str) -> JSONResponse:
    """Return the answer that every failure has."""
    return JSONResponse({"error": message}, status)


class SecurityHeaders:
    """Adds `HEADERS` to every answer that does not have its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, answer)


class ServerErrors:
    """Answers a failure that nobody foresaw with 500, and tells the log alone what it was."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception:
            if scope["type"] != "http" or started:
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            answered = problem(500, "this failed here; what it was stands in the log of the server")
            await answered(scope, receive, send)


class Hosts:
    """Lets only requests in that call the server by one of `names`.

    A page elsewhere whose name was made to point at this machine (DNS rebinding) calls it by that name.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self.app, self.names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = HOST.fullmatch(Headers(scope=scope).get("host", ""))
            if not found or found[1].lower().strip("[]") not in self.names:
                refused = problem(400, f"Host: this server answers to {', '.join(sorted(self.names))} only")
                return await refused(scope, receive, send)
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses a body of more than `most` bytes, by what it says of its length or as soon as more have come."""

    def __init__(self, app: ASGIApp, most: int, message: str) -> None:
        self.app, self.most, self.message = app, most, message

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        came, more, started = 0, True, False

        async def counted() -> Message:
            nonlocal came, more
            message = await receive()
            came, more = came + len(message.get("body", b"")), message.get("more_body", False)
            return message if came <= self.most else {"type": "http.disconnect"}

        async def answer(message: Message) -> None:
            nonlocal started
            if came <= self.most:
                started = True
                await send(message)

        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.most:
            more = "expect" not in headers  # a client that asks first has sent nothing yet
            return await self._refuse(scope, receive, send, more)
        try:
            await self.app(scope, counted, answer)
        except Exception:
            if came <= self.most:
                raise
        if came > self.most and not started:
            await self._refuse(scope, receive, send, more)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, more: bool) -> None:
        room = self.most * DRAINED
        while more and room > 0:
            message = await receive()
            room -= len(message.get("body", b""))
            more = message.get("more_body", False)
        answer = problem(413, self.message)
        answer.headers["Connection"] = "close"  # ends a body that has no end
        await answer(scope, receive, send)
