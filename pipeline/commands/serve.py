"""`python -m pipeline serve`: a page to find music for a film, and the same as an HTTP API."""

import argparse
import errno
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.index import ZERO_SHOT, require_library
from pipeline.core.errors import ParamsError, PipelineError

if TYPE_CHECKING:
    from pipeline.apps.recommend.recommender import Recommender

log = logging.getLogger(__name__)

HOST, PORT = "127.0.0.1", 8000
MAX_PORT = 65535
WAITING = 128  # connections, until the server takes them
GRACE_SECONDS = 2  # for what is being sent when the server ends
OPEN = (
    "--host {host}: everybody who can reach this machine there can search its libraries and listen to their files; "
    "there is no password. Music may be copyrighted: see that you may play it to them."
)


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "serve",
        help="open a page to find music for a film on this machine; the same as an HTTP API",
        description="Serve a page on which one finds music for a film by its image, tags and plot, and the same as an "
        "HTTP API, which /docs describes. Only this machine reaches it unless --host says otherwise.",
    )
    parser.add_argument("--host", default=HOST, help="address to listen at (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen at; 0: any (default: %(default)s)")
    parser.add_argument(
        "--library",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FOLDER|INDEX",
        help="your own music, or what `index` made of it, to be searched beside the data set",
    )
    parser.add_argument("--zero-shot", metavar="MODEL", help=f"{ZERO_SHOT}; with --library")
    parser.set_defaults(run=_run)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise `ParamsError` when there is no such address, or the port is taken."""
    if not 0 <= port <= MAX_PORT:
        raise ParamsError(f"--port: found {port}, allowed are 0 (any) to {MAX_PORT}")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ParamsError(f"--host: {host!r} is no address; try {HOST} (this machine alone) or 0.0.0.0") from None
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
        return f"--port: {port} is taken by another program: end it, or choose another one, e.g. --port {port + 1}"
    if error.errno == errno.EACCES:
        return f"--port: {port} is not yours to listen at; choose one above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host: {host} is no address of this machine; try {HOST} (this machine alone) or 0.0.0.0"
    return f"--host {host} --port {port}: cannot listen there ({error.strerror})"


def greeting(server: socket.socket, host: str, names: Collection[str] | None) -> str:
    """Return where the page is, and who else can see it when the server answers to any name."""
    reached = HOST if _address(server).is_unspecified else host
    reached = f"[{reached}]" if ":" in reached else reached
    lines = [f"Soundtracks: http://{reached}:{server.getsockname()[1]} (Ctrl-C ends it)"]
    return "\n".join(lines if names is not None else [*lines, OPEN.format(host=host)])


def names_of(server: socket.socket, host: str) -> set[str] | None:
    """Return the names that the server may be called by: of loopback its own, else None, any."""
    from pipeline.apps.web.app import LOOPBACK

    address = _address(server)
    return {*LOOPBACK, str(address), host.lower()} if address.is_loopback else None


def _address(server: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(server.getsockname()[0].partition("%")[0])


def warm_up(recommender: "Recommender") -> None:
    """Load the networks and an index before anybody asks; what is missing is told in the log."""
    from PIL import Image

    from pipeline.apps.recommend.query import Query
    from pipeline.apps.recommend.recommender import Request

    query = Query(None, "film", "A film.", Image.new("RGB", (64, 64)))
    try:
        recommender.recommend(Request(query, 1, next(iter(recommender.libraries)), why=True))
    except PipelineError as error:
        log.warning("%s", error)
    except Exception:
        log.exception("loading the networks failed")


def _run(options: argparse.Namespace) -> int:
    require_library(options.zero_shot, options.library)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        with listen(options.host, options.port) as server:
            _serve(options, server)
    except KeyboardInterrupt:
        pass
    logging.shutdown()
    os._exit(0)  # at once: nothing interrupts threads that load networks or embed tracks, and files are written whole


def _serve(options: argparse.Namespace, server: socket.socket) -> None:
    import uvicorn

    from pipeline.apps.recommend.recommender import open_recommender
    from pipeline.apps.web.app import create_app
    from pipeline.params import load_params

    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("pipeline").setLevel(logging.INFO)
    root = Path()
    params = load_params(root / "params.yaml")
    recommender = open_recommender(root, params, options.zero_shot)
    if options.library:
        from pipeline.apps.library.opening import add_libraries

        add_libraries(recommender, root, params, options.library)
    names = names_of(server, options.host)
    app = create_app(recommender, params.recommend, root, names)
    print(greeting(server, options.host, names), flush=True)
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
