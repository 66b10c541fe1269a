"""The command: where it listens and to whom it answers, what it says, and how it ends."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from pipeline.commands.serve import greeting, listen, names_of, warm_up
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
        with pytest.raises(ParamsError, match=rf"--port: {port} is taken .* --port {port + 1}"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no such host", 0, "--host: 'no such host' is no address"),
        ("a" * 70, 0, "is no address"),
        ("-", 0, "is no address"),
        ("256.0.0.1", 0, "is no address"),
        ("192.0.2.1", 0, "--host: 192.0.2.1 is no address of this machine"),
        ("127.0.0.1", 65536, "--port: found 65536, allowed are 0"),
        ("127.0.0.1", -1, "--port: found -1"),
    ],
)
def test_addresses_that_cannot_be(host, port, said, monkeypatch):
    real = socket.getaddrinfo

    def without_look_up(name, *arguments, **options):
        options["flags"] = socket.AI_NUMERICHOST
        return real(name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", without_look_up)
    with pytest.raises(ParamsError, match=said):
        listen(host, port)


def test_loopback_answers_to_its_names_alone():
    with listen("127.0.0.1", 0) as server:
        assert names_of(server, "127.0.0.1") == {"localhost", "127.0.0.1", "::1"}
        assert "this-machine" in names_of(server, "This-Machine")
        port = server.getsockname()[1]
        assert greeting(server, "127.0.0.1", {"localhost"}) == f"Soundtracks: http://127.0.0.1:{port} (Ctrl-C ends it)"


def test_other_addresses_are_told_to_be_open():
    server = SimpleNamespace(getsockname=lambda: ("0.0.0.0", 8000))
    assert names_of(server, "0.0.0.0") is None
    first, second = greeting(server, "0.0.0.0", None).splitlines()
    assert first == "Soundtracks: http://127.0.0.1:8000 (Ctrl-C ends it)"
    assert "everybody who can reach this machine" in second
    assert "no password" in second
    assert "copyrighted" in second
    server = SimpleNamespace(getsockname=lambda: ("fe80::1%eth0", 8000, 0, 2))
    assert names_of(server, "fe80::1") is None
    assert greeting(server, "fe80::1", None).startswith("Soundtracks: http://[fe80::1]:8000 ")


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
        assert line == f"Soundtracks: {address} (Ctrl-C ends it)\n"
        assert requests.get(address, timeout=30).status_code == 200
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)  # which ends it as Ctrl-C does
        said, failed = server.communicate(timeout=30)
    assert (server.returncode, said, failed) == (0, "", "")
    assert time.monotonic() - began < 5
