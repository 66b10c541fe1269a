"""The command: where it listens, whom it answers, what it prints, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests

from pipeline.apps.web.access import Access
from pipeline.commands.serve import PASSWORD, access_of, greeting, listen, warm_up
from pipeline.core.errors import MissingFileError, ParamsError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SERVE = (
    "import argparse; from pipeline.commands.serve import register; parser = argparse.ArgumentParser();"
    "register(parser.add_subparsers()); options = parser.parse_args(); raise SystemExit(options.run(options))"
)


def test_port_that_is_taken():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ParamsError, match=rf"--port: {port} is in use .* --port {port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no such host", 0, "--host: 'no such host' is not an address"),
        ("a" * 70, 0, "is not an address"),
        ("-", 0, "is not an address"),
        ("256.0.0.1", 0, "is not an address"),
        ("192.0.2.1", 0, "--host: 192.0.2.1 is not an address of this machine"),
        ("127.0.0.1", 65536, "--port: found 65536, allowed are 0"),
        ("127.0.0.1", -1, "--port: found -1"),
    ],
)
def test_invalid_addresses(host, port, said, monkeypatch):
    real = socket.getaddrinfo

    def without_look_up(name, *arguments, **options):
        options["flags"] = socket.AI_NUMERICHOST
        return real(name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", without_look_up)
    with pytest.raises(ParamsError, match=said):
        listen(host, port)


@pytest.fixture(autouse=True)
def without_password(monkeypatch):
    monkeypatch.delenv(PASSWORD, raising=False)


def listening(address: str, *more: int) -> SimpleNamespace:
    """Return a stand-in for a socket that listens there."""
    return SimpleNamespace(getsockname=lambda: (address, 8000, *more))


def test_loopback_answers_to_its_names_alone_and_without_a_password():
    with listen("127.0.0.1", 0) as server:
        access, made_up = access_of(server, "127.0.0.1", False, "")
        assert (access, made_up) == (Access(), "")
        assert "this-machine" in access_of(server, "This-Machine", False, "")[0].names
        port = server.getsockname()[1]
        assert greeting(server, "127.0.0.1", access, "") == f"Soundtracks: http://127.0.0.1:{port} (Ctrl-C stops it)"


def test_password_on_loopback_on_request():
    access, made_up = access_of(listening("127.0.0.1"), "localhost", True, "")
    assert access.keys.is_password(made_up.encode())
    assert (access.names, access.any_address) == ({"localhost", "127.0.0.1", "::1"}, False)
    (line,) = greeting(listening("127.0.0.1"), "localhost", access, made_up).splitlines()
    assert line == f"Soundtracks: http://localhost:8000/?token={made_up} (Ctrl-C stops it)"


@pytest.mark.parametrize(
    ("address", "host", "shown"),
    [
        (("192.0.2.7",), "studio", "http://studio:8000"),
        (("fe80::1%eth0", 0, 2), "fe80::1", "http://[fe80::1]:8000"),
    ],
)
def test_beyond_loopback_there_is_always_a_password(address, host, shown):
    server = listening(address[0], *address[1:])
    access, made_up = access_of(server, host, False, "")
    assert len(made_up) >= 40
    assert made_up != access_of(server, host, False, "")[1]
    assert access.keys.is_password(made_up.encode())
    assert access.any_address
    assert {host, socket.gethostname().lower(), "localhost"} <= access.names
    first, second = greeting(server, host, access, made_up).splitlines()
    assert first == f"Soundtracks: {shown}/?token={made_up} (Ctrl-C stops it)"
    for word in ("plain HTTP", "TLS", "copyrighted"):
        assert word in second


def test_listening_everywhere_shows_a_reachable_address():
    with listen("0.0.0.0", 0) as server:
        access, made_up = access_of(server, "0.0.0.0", False, "")
        where = urlsplit(greeting(server, "0.0.0.0", access, made_up).split()[1])
        assert access.is_name(where.netloc)
        assert not access.is_name("0.0.0.0.example")
        with socket.create_connection((where.hostname, where.port), timeout=10):
            pass


def test_password_of_the_environment_is_taken_everywhere_and_not_shown(monkeypatch):
    monkeypatch.setenv(PASSWORD, "pässword & more")
    for place in ("127.0.0.1", "192.0.2.7"):
        access, made_up = access_of(listening(place), place, False, "")
        assert access.keys.is_password("pässword & more".encode())
        said = greeting(listening(place), place, access, made_up)
        assert (made_up, "token" in said, "more" in said) == ("", False, False)
        assert PASSWORD in said
    monkeypatch.setenv(PASSWORD, "short")
    with pytest.raises(ParamsError, match=f"{PASSWORD}: found 5 characters, minimum 8"):
        access_of(listening("127.0.0.1"), "127.0.0.1", False, "")


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Music.example/", "https://music.example"),
        ("https://music.example:443", "https://music.example"),
        ("http://music.example:443", "http://music.example:443"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_address_of_a_proxy_is_told_in_its_place_and_needs_a_password(address, origin):
    access, made_up = access_of(listening("127.0.0.1"), "127.0.0.1", False, address)
    assert access.address == origin
    assert access.is_name(urlsplit(origin).netloc)
    assert access.keys.is_password(made_up.encode())
    assert greeting(listening("127.0.0.1"), "127.0.0.1", access, made_up).startswith(f"Soundtracks: {origin}/?token=")


@pytest.mark.parametrize(
    "address",
    ["music.example", "ftp://music.example", "https://", "https://a:x", "https://a/b", "https://u:p@a", "https://[a"],
)
def test_invalid_addresses_of_proxies(address):
    with pytest.raises(ParamsError, match=r"--address: found .* https://music\.example:8443"):
        access_of(listening("127.0.0.1"), "127.0.0.1", False, address)


def test_warming_up_asks_once_and_never_fails(site_recommender, caplog):
    warm_up(site_recommender)
    assert not caplog.records

    def fail(error):
        def recommend(_):
            raise error

        return SimpleNamespace(recommend=recommend, libraries={"films": None})

    warm_up(fail(MissingFileError("features are missing")))
    assert caplog.records[0].getMessage() == "features are missing"
    warm_up(fail(RuntimeError("broken")))
    assert "loading the networks failed" in caplog.text


def test_starts_says_one_line_and_ends_cleanly_while_networks_load(site_root):
    shutil.copy(ROOT / "params.yaml", site_root)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SERVE, "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=site_root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        line = server.stdout.readline()
        address = line.split()[1]
        assert line == f"Soundtracks: {address} (Ctrl-C stops it)\n"
        assert requests.get(address, timeout=30).status_code == 200
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)  # which ends it like Ctrl-C
        said, failed = server.communicate(timeout=30)
    assert (server.returncode, said, failed) == (0, "", "")
    assert time.monotonic() - began < 5
