"""The guards around the application: headers, names of the server, origins of forms, the length of a request; and
paths in messages."""

import http.client
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from pipeline.apps.web.access import Access, url_of
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
    scripts = [path.read_text() for path in (root / "static").glob("*.js")]
    assert len(scripts) > 1
    for script in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://(?!www\.w3\.org/2000/svg)[a-z]",
            script,
        )
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


@pytest.mark.parametrize(
    ("host", "is_name"),
    [
        ("music.example", True),
        ("Music.example:8000", True),
        ("192.168.0.7:8000", True),
        ("[fe80::1]:8000", True),
        ("localhost", False),
        ("evil.example", False),
        ("192.168.0.7.evil.example", False),
        ("1234", False),
        ("", False),
    ],
)
def test_beyond_loopback_names_and_addresses_are_let_in(host, is_name):
    assert Access(frozenset({"music.example"}), any_address=True).is_name(host) == is_name


def test_refusal_lists_the_allowed_names(site_recommender, params, site_root):
    access = Access(frozenset({"music.example"}), any_address=True)
    with serving(create_app(site_recommender, params.recommend, site_root, access)) as origin:
        assert status_of(origin, "music.example") == 200
        answer = requests.get(origin, headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 400
    for word in ("evil.example", "music.example", "any IP address", "--address"):
        assert word in answer.json()["error"]


def sent(client, headers: dict[str, str], path: str = "/api/recommend") -> requests.Response:
    return requests.post(client.origin + path, data={"tags": "war", "k": 1}, headers=headers, timeout=30)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "{origin}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "{origin}", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:99", "Origin": "http://localhost:99"},  # through a tunnel
        {"Host": "LOCALHOST:99", "Origin": "http://localhost:99"},
    ],
)
def test_forms_of_own_pages_and_of_programs_are_answered(client, headers):
    answer = sent(client, {name: value.format(origin=client.origin) for name, value in headers.items()})
    assert len(answer.json()["tracks"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "{origin}1"},
        {"Origin": "{origin}.evil.example"},
        {"Origin": "http://127.0.0.1"},  # another server of this machine
        {"Origin": "http://localhost:99", "Host": "localhost:98"},
        {"Origin": "https://127.0.0.1:98", "Host": "127.0.0.1:98"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "{origin}"},
    ],
)
def test_forms_of_other_sites_are_refused(client, headers):
    headers = {name: value.format(origin=client.origin) for name, value in headers.items()}
    for path in ("/api/recommend", "/api/nothing"):
        answer = sent(client, headers, path)
        assert (answer.status_code, list(answer.json())) == (403, ["error"])
    assert requests.get(f"{client.origin}/api/models", headers=headers, timeout=10).status_code == 200


def test_refused_form_is_read_so_that_the_browser_gets_the_reason(client):
    answer = requests.post(
        f"{client.origin}/api/recommend", data=b"x" * 15_000_000, headers={"Origin": "null"}, timeout=30
    )
    assert answer.status_code == 403


def test_origin_of_a_proxy_is_own(client):
    access = Access(address="https://music.example")
    assert access.is_own("https://Music.example", "127.0.0.1:8000")
    assert not access.is_own("https://evil.example", "127.0.0.1:8000")
    assert not Access().is_own("https://music.example", "127.0.0.1:8000")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::ffff:10.0.0.1", "http://10.0.0.1:80"),
        ("studio", "http://studio:80"),
    ],
)
def test_address_of_a_server(host, url):
    assert url_of(host, 80) == url


def test_body_with_a_length(client, params):
    most = params.recommend.max_image_bytes
    response = requests.post(f"{client.origin}/api/recommend", data=b"x" * (most + 700_000), timeout=30)
    assert response.status_code == 413
    assert f"at most {most} for an image (recommend.max_image_bytes)" in response.json()["error"]
    assert "content-security-policy" in response.headers


def test_body_without_a_length(client, params):
    sent = 0

    def blocks():
        nonlocal sent
        while sent < params.recommend.max_image_bytes + 2_000_000:
            sent += 1_000_000
            yield b"x" * 1_000_000

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    response = requests.post(f"{client.origin}/api/recommend", data=blocks(), headers=form, timeout=30)
    assert response.status_code in (400, 413)  # the first block is not a form: either error may come first
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
