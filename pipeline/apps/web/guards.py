"""ASGI middleware: security headers, host and origin checks, a limit on the body's size, unexpected errors.

Each class wraps the next application.
"""

import logging

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.apps.web.access import Access

log = logging.getLogger(__name__)

POLICY = {  # only content of this server, and pictures that the user has chosen
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
    "Referrer-Policy": "same-origin",  # with `no-referrer`, browsers also omit the origin of a form
    "Cross-Origin-Resource-Policy": "same-origin",  # no other page plays the music or shows the posters
    "Cache-Control": "no-cache",
}
SAFE = ("GET", "HEAD", "OPTIONS")  # methods without side effects
OWN_SITES = ("same-origin", "none")  # of `Sec-Fetch-Site`: a page of this server, or an address typed in
SHOWN = 100  # characters of a header
DRAINED_BYTES = 80_000_000  # read and discarded, so the client receives the error response


def problem(status: int, message: str) -> JSONResponse:
    """Return the JSON response of a failure."""
    return JSONResponse({"error": message}, status)


class SecurityHeaders:
    """Adds `HEADERS` to every response, except where the response sets its own."""

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
    """Answers an unexpected exception with status 500; the details go to the log only."""

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
            answered = problem(500, "internal error; see the server log")
            await answered(scope, receive, send)


class Hosts:
    """Accepts only requests whose `Host` is one of the server's names.

    This stops DNS rebinding, where another site's name is made to point to this machine.
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
                    f"Host: found {host[:SHOWN]!r}, allowed are {names}; start the server with --address URL if it has "
                    "another address",
                )
                return await refused(scope, receive, send)
        await self.app(scope, receive, send)


class OwnPages:
    """Refuses forms from pages of other sites (CSRF), since the browser would add this server's cookie.

    Clients other than browsers send neither `Origin` nor `Sec-Fetch-Site`, and are accepted.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            wrong = self._wrong(headers)
            if wrong:
                await drain(headers, receive)
                refused = problem(403, f"{wrong}; only this server's own pages can send forms to it")
                return await refused(scope, receive, send)
        await self.app(scope, receive, send)

    def _wrong(self, headers: Headers) -> str:
        """Return the header that shows that a request comes from another site's page; "" if none does."""
        for site in headers.getlist("sec-fetch-site"):
            if site not in OWN_SITES:
                return f"Sec-Fetch-Site: found {site[:SHOWN]!r}, allowed are {', '.join(OWN_SITES)}"
        for origin in headers.getlist("origin"):
            if not self.access.is_own(origin, headers.get("host", "")):
                return f"Origin: found {origin[:SHOWN]!r}"
        return ""


class BodyLimit:
    """Refuses a body of more than `most` bytes, by its `Content-Length` or once more bytes have arrived."""

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
        answer.headers["Connection"] = "close"  # stops an endless body
        await answer(scope, receive, send)


async def drain(headers: Headers, receive: Receive) -> None:
    """Read and discard the rest of a body, up to `DRAINED_BYTES`.

    With `Expect`, the client has not sent a body yet.
    """
    room, more = DRAINED_BYTES, "expect" not in headers
    while more and room > 0:
        message = await receive()
        room -= len(message.get("body", b""))
        more = message.get("more_body", False)
