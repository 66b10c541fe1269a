"""What stands before the application: headers that close the browser's doors, which name of this server a request may
call, from whose pages it may come, how long it may be, and what becomes of a failure that nobody foresaw.

Pure ASGI: each wraps the next application.
"""

import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.apps.web.access import Access

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
    "Referrer-Policy": "same-origin",  # with none at all, browsers leave the origin of a form out as well
    "Cross-Origin-Resource-Policy": "same-origin",  # no other page plays the music or shows the posters
    "Cache-Control": "no-cache",
}
SAFE = ("GET", "HEAD", "OPTIONS")  # methods that neither change anything nor cost much
OWN_SITES = ("same-origin", "none")  # of `Sec-Fetch-Site`: a page of this server, or none (an address typed in)
SHOWN = 100  # characters of a header
DRAINED_BYTES = 80_000_000  # are read and thrown away, so that the client comes to hear why it is refused


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
    """Lets only requests in that call the server by one of its names.

    A page elsewhere whose name was made to point at this machine (DNS rebinding) calls it by that name.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            if not self.access.is_name(host):
                names = ", ".join(sorted(self.access.names)) + " and any IP address" * self.access.any_address
                refused = problem(
                    400,
                    f"Host: found {host[:SHOWN]!r}, this server answers to {names} only; start it with --address URL "
                    "if it is reached elsewhere",
                )
                return await refused(scope, receive, send)
        await self.app(scope, receive, send)


class OwnPages:
    """Lets no page of another site send anything: a browser would add what opens this server, and others would pay.

    What is no browser sends neither `Origin` nor `Sec-Fetch-Site`, and is let in.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            wrong = self._wrong(headers)
            if wrong:
                await drain(headers, receive)
                refused = problem(403, f"{wrong}, only this server's own pages may send forms to it")
                return await refused(scope, receive, send)
        await self.app(scope, receive, send)

    def _wrong(self, headers: Headers) -> str:
        """Return what says that the page of a request is another site's."""
        for site in headers.getlist("sec-fetch-site"):
            if site not in OWN_SITES:
                return f"Sec-Fetch-Site: found {site[:SHOWN]!r}, allowed are {', '.join(OWN_SITES)}"
        for origin in headers.getlist("origin"):
            if not self.access.is_own(origin, headers.get("host", "")):
                return f"Origin: found {origin[:SHOWN]!r}"
        return ""


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
            return await self._refuse(scope, receive, send)
        try:
            await self.app(scope, counted, answer)
        except Exception:
            if came <= self.most:
                raise
        if came > self.most and not started:
            await self._refuse(scope, receive, send, more)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, more: bool = True) -> None:
        if more:
            await drain(Headers(scope=scope), receive)
        answer = problem(413, self.message)
        answer.headers["Connection"] = "close"  # ends a body that has no end
        await answer(scope, receive, send)


async def drain(headers: Headers, receive: Receive) -> None:
    """Read what is left of a body that nobody wants, `DRAINED_BYTES` of it at most.

    A client that asks first (`Expect`) has sent nothing yet.
    """
    room, more = DRAINED_BYTES, "expect" not in headers
    while more and room > 0:
        message = await receive()
        room -= len(message.get("body", b""))
        more = message.get("more_body", False)
