"""What stands before the application: headers, names of the server, the length of a request; and paths in messages."""

import http.client
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from pipeline.apps.web.app import create_app
from pipeline.apps.web.failures import without_folders
from pipeline.apps.web.guards import HEADERS
from tests.apps.web.small_site import serving

STATIC = Path("pipeline/apps/web")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/api/models", "/static/page.js", "/nothing", "/api/libraries/x/tracks/0/audio"]
)
def test_every_answer_has_the_headers(client, path):
    headers = client.get(path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "'unsafe" not in headers["Content-Security-Policy"]


def test_page_has_nothing_that_its_policy_forbids():
    root = Path(__file__).parents[3] / STATIC
    for path in (root / "templates").glob("*.j2"):
        text = path.read_text()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), path
    script = (root / "static/page.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://[a-z]", script)
    assert not re.search(r"@import|url\((?!['\"]?/static)", (root / "static/page.css").read_text())


def status_of(origin: str, host: str | None) -> int:
    where = urlsplit(origin)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    connection.putrequest("GET", "/api/models", skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    return connection.getresponse().status


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:99"])
def test_own_names_are_let_in(client, host):
    assert status_of(client.origin, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost@evil.example",
        "",
        "::1",
        "localhost:80evil",
        "[::1]evil",
        "a b",
        "127.0.0.2",
    ],
)
def test_other_names_are_refused(client, host):
    assert status_of(client.origin, host) == 400


def test_any_name_where_that_was_asked_for(site_recommender, params, site_root):
    with serving(create_app(site_recommender, params.recommend, site_root, None)) as origin:
        assert status_of(origin, "music.example") == 200


def test_body_that_says_how_long_it_is(client, params):
    most = params.recommend.max_image_bytes
    response = requests.post(f"{client.origin}/api/recommend", data=b"x" * (most + 600_000), timeout=30)
    assert response.status_code == 413
    assert f"an image may have {most} (recommend.max_image_bytes)" in response.json()["error"]
    assert "content-security-policy" in response.headers


def test_body_that_does_not(client, params):
    sent = 0

    def blocks():
        nonlocal sent
        while sent < params.recommend.max_image_bytes + 2_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    response = requests.post(f"{client.origin}/api/recommend", data=blocks(), headers=form, timeout=30)
    assert response.status_code in (400, 413)  # the first block is no form: either may be said first
    start = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    sent = 0
    response = requests.post(
        f"{client.origin}/api/recommend", data=(part for part in (start, *blocks())), headers=form, timeout=30
    )
    assert response.status_code == 413


def test_endless_body_is_ended(client):
    where = urlsplit(client.origin)
    with socket.create_connection((where.hostname, where.port), timeout=30) as connection:
        head = "POST /api/recommend HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
        part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        connection.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        block = f"{1 << 20:x}\r\n".encode() + b"x" * (1 << 20) + b"\r\n"
        sent = 0
        try:
            while sent < 400:
                connection.sendall(block)
                sent += 1
        except OSError:
            pass
        assert sent < 200, "the server took it all"


def test_paths_of_this_machine_are_left_out_of_messages(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    message = f"{folder}/models/x.parquet is missing: run `dvc repro`; see {folder} and /usr/lib/python3/site.py"
    assert without_folders(message, [folder]) == (
        "models/x.parquet is missing: run `dvc repro`; see this folder and site.py"
    )
    plain = "tags and/or plot: 3/4 of https://example.org/a/b are 'a/b/c.mp3', data/audio/A/0.mp3"
    assert without_folders(plain, [folder]) == plain
