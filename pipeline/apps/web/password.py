"""Password middleware: without the password, only the login page is served.

A browser sends it once, in the form or in the address that the server printed, and receives a cookie. Programs send it
with each request (`Authorization: Bearer ...`). Addresses in playlists have a signature that opens one file.
"""

from collections import OrderedDict, deque
from time import monotonic
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.apps.web.access import Keys
from pipeline.apps.web.guards import drain, problem
from pipeline.apps.web.rendering import render

LOGIN = "/login"
OPEN = ("/static/page.css", "/static/icon.svg")  # needed by the login page
TOKEN = "token"  # query parameter of the printed address
KEY = "key"  # query parameter of an address in a playlist
LOOKS = ("GET", "HEAD")
BEARER = b"bearer "
FORM_BYTES = 10_000
ATTEMPTS = 10  # wrong passwords per client address ...
SECONDS = 60  # ... within this time; then the client has to wait

NEEDED = (
    "password: required; open the address that the server printed when it started, or send "
    "`Authorization: Bearer PASSWORD`"
)
WRONG = "password: wrong; the server printed the right one, or where it is set, when it started"
WAIT = "password: {count} wrong attempts from your address; try again in {seconds} s"


class Attempts:
    """Recent wrong passwords, by client address."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()  # times; most recent client last

    def wait(self, who: str) -> float:
        """Return for how many more seconds the client `who` is blocked."""
        times = self._wrong.get(who, deque())
        return max(0.0, times[0] + SECONDS - monotonic()) if len(times) == ATTEMPTS else 0.0

    def failed(self, who: str) -> None:
        """Record a wrong password from `who`, and drop expired records."""
        now = monotonic()
        self._wrong.setdefault(who, deque(maxlen=ATTEMPTS)).append(now)
        self._wrong.move_to_end(who)
        while next(iter(self._wrong.values()))[-1] < now - SECONDS:
            self._wrong.popitem(last=False)


class Password:
    """Passes on only requests with one of `keys`."""

    def __init__(self, app: ASGIApp, keys: Keys, secure: bool) -> None:
        """Wrap `app`; `secure` means that browsers reach the server by HTTPS only."""
        self.app, self.keys, self.secure, self.attempts = app, keys, secure, Attempts()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        answer = await self._answer(request)
        if answer is None:
            return await self.app(scope, receive, send)
        if scope["path"] != LOGIN:
            await drain(request.headers, receive)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        """Return the response to a request that is not passed on; None if it is."""
        if request.scope["path"] in OPEN:
            return None
        given, by_page = await self._given(request)
        if given is None:
            if self._is_known(request):
                return None
            return _refusal(request, 401, NEEDED) if request.scope["path"] != LOGIN else _form("", 200)
        who = request.client.host if request.client else ""
        if wait := self.attempts.wait(who):
            seconds = int(wait) + 1
            answer = _refusal(request, 429, WAIT.format(count=ATTEMPTS, seconds=seconds))
            answer.headers["Retry-After"] = str(seconds)
            return answer
        if not self.keys.is_password(given):
            self.attempts.failed(who)
            return _refusal(request, 401, WRONG)
        return self._entered(request) if by_page else None

    async def _given(self, request: Request) -> tuple[bytes | None, bool]:
        """Return the password in a request (None if there is none), and whether to answer with the page."""
        path, method = request.scope["path"], request.method
        if path == LOGIN and method == "POST":
            return await _of_form(request), True
        if path == "/" and method in LOOKS and TOKEN in request.query_params:
            return request.query_params[TOKEN].encode(), True
        headers = dict(request.scope["headers"])  # bytes: a password may have any characters
        found = headers.get(b"authorization", b"")
        return (found[len(BEARER) :].strip() if found[: len(BEARER)].lower() == BEARER else None), False

    def _is_known(self, request: Request) -> bool:
        if self.keys.is_session(request.cookies.get(_cookie(request), "")):
            return True
        key, path = request.query_params.get(KEY), request.scope["path"]
        return key is not None and request.method in LOOKS and self.keys.is_signature(key, path)

    def _entered(self, request: Request) -> Response:
        """Return the response that sets the browser's cookie and loads the page.

        Not a redirect: after a link in an e-mail, a browser follows redirects without `SameSite=Strict` cookies.
        """
        answer = HTMLResponse(render("entered.html.j2"), headers={"Refresh": "0; url=/", "Cache-Control": "no-store"})
        answer.set_cookie(_cookie(request), self.keys.session, secure=self.secure, httponly=True, samesite="strict")
        return answer


def _cookie(request: Request) -> str:
    """Return the name of the cookie; it has the port, since browsers send cookies to all ports of a host."""
    return f"soundtracks-{request.scope['server'][1]}"


async def _of_form(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_BYTES:
            return b""
    return parse_qs(body.decode("ascii", "replace")).get("password", [""])[0].encode()


def _refusal(request: Request, status: int, message: str) -> Response:
    """Return the login form to a browser that requests a page, and a JSON error to other clients."""
    is_page = request.scope["path"] == LOGIN or (
        request.method in LOOKS and "text/html" in request.headers.get("accept", "")
    )
    answer = _form("" if message == NEEDED else message, status) if is_page else problem(status, message)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _form(message: str, status: int) -> Response:
    return HTMLResponse(render("login.html.j2", action=LOGIN, message=message), status)
