"""`python -m pipeline serve`: a web page that finds music for a film, and its HTTP API."""

import argparse
import errno
import ipaddress
import logging
import os
import secrets
import signal
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pipeline.commands.index import PUBLISHED, ZERO_SHOT, require_library
from pipeline.core.errors import ModelError, ParamsError, PipelineError

if TYPE_CHECKING:
    from pipeline.apps.recommend.recommender import Recommender
    from pipeline.apps.web.access import Access

log = logging.getLogger(__name__)

HOST, PORT = "127.0.0.1", 8000
MAX_PORT = 65535
WAITING = 128  # connections in the listen queue
GRACE_SECONDS = 2  # for responses in progress at shutdown
PASSWORD = "SOUNDTRACK_PASSWORD"  # environment variable: other users of the machine can read command lines
LEAST_CHARS = 8  # of a chosen password; ten attempts per minute are allowed
SCHEMES = ("http", "https")
OUTSIDE = {4: ("192.0.2.1", 9), 6: ("2001:db8::1", 9)}  # addresses for documentation (RFC 5737, RFC 3849)
OPEN = (
    "Anyone with {key} can search these libraries and play their files, and plain HTTP can be intercepted: use a "
    "network that you trust, or a proxy with TLS (--address). Music may be copyrighted: check that you may share it."
)


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "serve",
        help="serve the web page and the HTTP API",
        description="Serve a web page that finds music for a film by its image, tags and plot, and an HTTP API, "
        "documented at /docs. Only this machine can reach it unless --host is set. Other machines need a password: "
        f"the environment variable {PASSWORD}, or else one that is generated and printed.",
    )
    parser.add_argument("--host", default=HOST, help="address to listen on (default: %(default)s, this machine only)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on; 0: any (default: %(default)s)")
    parser.add_argument("--password", action="store_true", help="require a password on this machine, too")
    parser.add_argument(
        "--address", default="", metavar="URL", help="public address behind a proxy, e.g. https://music.example"
    )
    parser.add_argument(
        "--library",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FOLDER|INDEX",
        help="a folder of your own music, indexed while the page is open, or the index of one; searched in addition to "
        "the data set",
    )
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--model", metavar="MODEL", help=f"{PUBLISHED}; requires --library, since it has no audio")
    models.add_argument("--zero-shot", metavar="MODEL", help=f"{ZERO_SHOT}; requires --library")
    parser.set_defaults(run=_run)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise `ParamsError` if the address is invalid or the port is in use."""
    if not 0 <= port <= MAX_PORT:
        raise ParamsError(f"--port: found {port}, allowed are 0 (any) to {MAX_PORT}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ParamsError(f"--host: {host!r} is not an address; try {HOST} (this machine only) or 0.0.0.0") from None
    family, kind, protocol, _, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    server = socket.socket(family, kind, protocol)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(WAITING)
    except OSError as error:
        server.close()
        raise ParamsError(_unusable(host, port, error)) from None
    return server


def _unusable(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port: {port} is in use by another program: stop it, or choose another port, e.g. --port {port + 1}"
    if error.errno == errno.EACCES:
        return f"--port: no permission to listen on {port}; choose a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is not an address of this machine; try {HOST} (this machine only) or 0.0.0.0"
    return f"--host {host} --port {port}: cannot listen there ({error.strerror})"


def access_of(server: socket.socket, host: str, asked: bool, address: str) -> "tuple[Access, str]":
    """Return the access rules of a server that listens on `host`, and the generated password ("" if none was).

    A password is required if other machines can reach the server, if `asked` is set, or if the environment variable
    is set. Raises `ParamsError` for a password that is too short, and for an invalid `address`.
    """
    from pipeline.apps.web.access import LOOPBACK, Access, Keys

    listening = _address(server)
    names = {*LOOPBACK, str(listening), host.lower()} - {"0.0.0.0", "::"}
    if not listening.is_loopback:
        own = socket.gethostname().lower()
        names |= {own, f"{own}.local"}
    if address:
        address = _origin(address)
        names.add(str(urlsplit(address).hostname))
    chosen = os.environ.get(PASSWORD, "")
    if chosen and len(chosen) < LEAST_CHARS:
        raise ParamsError(
            f"{PASSWORD}: found {len(chosen)} characters, minimum {LEAST_CHARS}; unset it to have a password generated"
        )
    needed = asked or bool(address) or not listening.is_loopback
    made_up = secrets.token_urlsafe() if needed and not chosen else ""
    password = chosen or made_up
    keys = Keys(password) if password else None
    return Access(frozenset(names), not listening.is_loopback, address, keys), made_up


def _origin(address: str) -> str:
    """Return the origin in `--address`, written as browsers do."""
    try:
        parts = urlsplit(address.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path not in ("", "/") or "@" in parts.netloc:
        raise ParamsError(f"--address: found {address!r}, expected scheme and host, e.g. https://music.example:8443")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}" + (
        f":{port}" if port not in (None, {"http": 80, "https": 443}[parts.scheme]) else ""
    )


def greeting(server: socket.socket, host: str, access: "Access", made_up: str) -> str:
    """Return the page's address with any generated password, and a warning if other machines can reach it."""
    from pipeline.apps.web.access import url_of

    address = access.address or url_of(_reached(server, host), server.getsockname()[1])
    if made_up:
        address = f"{address}/?token={quote(made_up)}"
    lines = [f"Soundtracks: {address} (Ctrl-C stops it)"]
    if access.keys is not None and not made_up:
        lines.append(f"The password is the value of {PASSWORD}.")
    if access.address or not _address(server).is_loopback:
        lines.append(OPEN.format(key="this address" if made_up else "the password"))
    return "\n".join(lines)


def _reached(server: socket.socket, host: str) -> str:
    """Return the address to print: `host`, or that of the outbound route if the server listens on all addresses."""
    listening = _address(server)
    if not listening.is_unspecified:
        return host
    family = socket.AF_INET if listening.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(OUTSIDE[listening.version])  # sends nothing
            return str(probe.getsockname()[0])
    except OSError:  # no route outside
        return HOST


def _address(server: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(server.getsockname()[0].partition("%")[0])


def warm_up(recommender: "Recommender") -> None:
    """Load the networks and an index before the first request; log what is missing."""
    from PIL import Image

    from pipeline.apps.recommend.query import Query
    from pipeline.apps.recommend.recommender import Request

    query = Query(None, "film", "A film.", Image.new("RGB", (64, 64)))
    if not recommender.libraries:  # the first one is still being indexed
        return
    try:
        recommender.recommend(Request(query, 1, next(iter(recommender.libraries)), why=True))
    except PipelineError as error:
        log.warning("%s", error)
    except Exception:
        log.exception("loading the networks failed")


def _run(options: argparse.Namespace) -> int:
    require_library(options.zero_shot, options.library)
    if options.model is not None and not options.library:
        raise ModelError("--model: a published model has no audio; add --library FOLDER to search your own music")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        with listen(options.host, options.port) as server:
            _serve(options, server)
    except KeyboardInterrupt:
        pass
    logging.shutdown()
    os._exit(0)  # threads that load networks or embed tracks cannot be interrupted; files are written atomically


def _serve(options: argparse.Namespace, server: socket.socket) -> None:
    import uvicorn

    from pipeline.apps.library.background import Background
    from pipeline.apps.library.embed import embed_file
    from pipeline.apps.library.opening import sources_of, updater
    from pipeline.apps.recommend.recommender import open_recommender
    from pipeline.apps.web.app import create_app
    from pipeline.params import load_params

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("pipeline").setLevel(logging.INFO)
    access, made_up = access_of(server, options.host, options.password, options.address)
    root = Path()
    params = load_params(root / "params.yaml")
    published = None
    if options.model is not None:
        from pipeline.apps.published.load import open_published

        recommender = open_published(options.model, params.machine.device)
        (published,) = recommender.trained.values()
        recommender.libraries = {}  # the audio of its own tracks is not here
    else:
        recommender = open_recommender(root, params, options.zero_shot)
    sources = sources_of(recommender, root, options.library, published)
    background = Background(recommender, updater(root, params, recommender.zero_shot or published), sources)
    hear = partial(embed_file, params=params, device=recommender.device)
    app = create_app(recommender, params.recommend, root, access, hear, background)
    print(greeting(server, options.host, access, made_up), flush=True)
    background.begin_missing()
    threading.Thread(target=warm_up, args=(recommender,), name="warm-up", daemon=True).start()
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[server])
