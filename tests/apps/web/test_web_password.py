"""The password: what is answered without it, how to log in, and what happens to guesses."""

from collections.abc import Iterator

import pytest
import requests

from pipeline.apps.web import password as password_module
from pipeline.apps.web.access import Access, Keys
from pipeline.apps.web.app import create_app
from pipeline.apps.web.password import ATTEMPTS, LOGIN, SECONDS, Attempts
from tests.apps.web.small_site import jpeg, serving

PASSWORD = "a pässword & more"
RIGHT = {"Authorization": f"Bearer {PASSWORD}".encode()}
WRONG = {"Authorization": b"Bearer a guess"}
AUDIO = "/api/libraries/films/tracks/0/audio"
PAGES = ("/", "/docs")
OTHERS = ("/openapi.json", "/api/models", "/api/examples/AAF/image", AUDIO, "/swagger/swagger-ui.css")
HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture(scope="module")
def app(site_recommender, params, site_root):
    access = Access(any_address=True, keys=Keys(PASSWORD))
    return create_app(site_recommender, params.recommend, site_root, access)


@pytest.fixture
def origin(app, monkeypatch) -> Iterator[str]:
    """The address of a server with a password, with no failed attempts yet."""
    attempts = Attempts()
    monkeypatch.setattr(password_module, "Attempts", lambda: attempts)
    app.middleware_stack = None  # is rebuilt
    with serving(app) as origin:
        yield origin


def test_nothing_is_answered_without_it(origin):
    for path in (*PAGES, *OTHERS):
        answer = requests.get(origin + path, timeout=10)
        assert (answer.status_code, list(answer.json())) == (401, ["error"]), path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "content-security-policy" in answer.headers
    assert requests.head(origin + AUDIO, timeout=10).status_code == 401
    assert requests.post(f"{origin}/api/recommend", data={"tags": "war"}, timeout=10).status_code == 401
    picture = {"image": ("a.jpg", jpeg(2000, 2000), "image/jpeg")}
    assert requests.post(f"{origin}/api/recommend", files=picture, timeout=30).status_code == 401


def test_browser_that_wants_a_page_gets_the_form(origin):
    for path in PAGES:
        answer = requests.get(origin + path, headers=HTML, timeout=10)
        assert answer.status_code == 401
        assert 'type="password"' in answer.text
        assert 'role="alert"' not in answer.text
        assert "set-cookie" not in answer.headers
    for path in ("/static/page.css", "/static/icon.svg", LOGIN):  # its own files
        assert requests.get(origin + path, timeout=10).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, *OTHERS[:-1]])
def test_programs_send_it_with_each_request(origin, path):
    assert requests.get(origin + path, headers=RIGHT, timeout=30).status_code == 200
    answer = requests.get(origin + path, headers=WRONG, timeout=30)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", PASSWORD.encode(), b"Bearer \xff\xfe"])
def test_invalid_headers(origin, value):
    assert requests.get(f"{origin}/api/models", headers={"Authorization": value}, timeout=10).status_code == 401


def entered(origin: str, way: str, password: str = PASSWORD) -> tuple[requests.Session, requests.Response]:
    """Return a session after giving the password by form or address, and the answer to that."""
    session = requests.Session()
    if way == "form":
        return session, session.post(origin + LOGIN, data={"password": password}, timeout=10)
    return session, session.get(f"{origin}/", params={"token": password}, timeout=10)


@pytest.mark.parametrize("way", ["form", "address"])
def test_browser_gives_it_once(origin, way):
    session, answer = entered(origin, way)
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/")
    cookie = answer.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert "secure" not in cookie.lower()
    assert PASSWORD not in cookie
    for path in (*PAGES, *OTHERS[:-1]):
        assert session.get(origin + path, timeout=30).status_code == 200, path
    assert session.get(f"{origin}/nothing", timeout=10).status_code == 404
    found = session.post(f"{origin}/api/recommend", data={"tags": "war", "k": 1}, timeout=30).json()
    assert session.get(origin + found["tracks"][0]["audio"], headers={"Range": "bytes=0-9"}).status_code == 206


@pytest.mark.parametrize("way", ["form", "address"])
def test_wrong_password_is_refused_with_a_message(origin, way):
    session, answer = entered(origin, way, "a guess")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert session.get(f"{origin}/api/models", timeout=10).status_code == 401
    page = requests.post(origin + LOGIN, data={"password": "a guess"}, timeout=10)
    assert 'role="alert"' in page.text


@pytest.mark.parametrize("body", [b"", b"password=", b"%ff=&&&==", b"password=" + b"x" * 1_000_000, "päss".encode()])
def test_invalid_forms(origin, body):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert requests.post(origin + LOGIN, data=body, headers=form, timeout=10).status_code == 401


def test_other_sites_are_refused_even_with_the_cookie(origin):
    session, _ = entered(origin, "form")
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = session.post(f"{origin}/api/recommend", data={"tags": "war"}, headers=headers, timeout=10)
        assert (answer.status_code, list(answer.json())) == (403, ["error"])
        answer = requests.post(origin + LOGIN, data={"password": PASSWORD}, headers=headers, timeout=10)
        assert answer.status_code == 403, "another site may not let people in"


def test_session_ends_when_the_server_restarts(origin):
    session, _ = entered(origin, "form")
    (cookie,) = session.cookies
    for value in (Keys(PASSWORD).session, cookie.value[:-1], "", "\xff"):
        other = {"Cookie": f"{cookie.name}={value}".encode("latin-1")}
        assert requests.get(f"{origin}/api/models", headers=other, timeout=10).status_code == 401


def test_players_open_the_tracks_of_a_playlist_and_nothing_else(origin):
    lines = requests.get(f"{origin}/api/export?format=m3u8&row=0&row=1", headers=RIGHT, timeout=30).text.splitlines()
    first, second = (line for line in lines if not line.startswith("#"))
    assert PASSWORD not in first
    whole = requests.get(origin + AUDIO, headers=RIGHT, timeout=10)
    assert requests.get(first, timeout=10).content == whole.content
    assert requests.head(first, timeout=10).status_code == 200
    assert requests.get(first, headers={"Range": "bytes=0-9"}, timeout=10).status_code == 206
    key = first.partition("?key=")[2]
    for path in (second.partition("?")[0], f"{origin}/api/models", f"{origin}/"):
        assert requests.get(path, params={"key": key}, timeout=10).status_code == 401
    assert requests.get(f"{first}0", timeout=10).status_code == 401
    assert requests.get(f"{origin}{AUDIO}?key=", timeout=10).status_code == 401
    own = requests.get(f"{origin}/api/export?format=m3u8&row=0&library=own music", headers=RIGHT, timeout=30).text
    assert requests.get(own.splitlines()[-1], timeout=10).status_code == 200, "a name with a space"


def test_examples_of_the_docs_send_it(origin):
    for _ in range(2):
        described = requests.get(f"{origin}/openapi.json", headers=RIGHT, timeout=10).json()
        text = described["paths"]["/api/models"]["get"]["description"]
        assert text.count('curl -H "Authorization: Bearer $SOUNDTRACK_PASSWORD" http://127.0.0.1:8000/api/models') == 1


def test_guessing_has_to_wait(origin, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(password_module, "monotonic", lambda: now)
    session, _ = entered(origin, "form")
    for _ in range(ATTEMPTS):
        assert requests.get(f"{origin}/api/models", headers=WRONG, timeout=10).status_code == 401
    for answer in (
        requests.get(f"{origin}/api/models", headers=RIGHT, timeout=10),
        entered(origin, "form")[1],
        entered(origin, "address")[1],
    ):
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == str(SECONDS + 1)
    assert session.get(f"{origin}/api/models", timeout=10).status_code == 200, "who is in stays in"
    assert requests.get(f"{origin}/api/models", timeout=10).status_code == 401, "who gives none is told so"
    now += SECONDS
    assert requests.get(f"{origin}/api/models", headers=RIGHT, timeout=10).status_code == 200


def test_others_need_not_wait_and_are_forgotten(monkeypatch):
    now = 0.0
    monkeypatch.setattr(password_module, "monotonic", lambda: now)
    attempts = Attempts()
    for _ in range(2 * ATTEMPTS):
        now += 1
        attempts.failed("one")
    assert attempts.wait("one") == SECONDS - (ATTEMPTS - 1)
    assert attempts.wait("another") == 0
    for number in range(1000):
        now += 1
        attempts.failed(str(number))
    assert len(attempts._wrong) <= SECONDS + 1


def test_cookie_is_sent_only_over_https_behind_a_tls_proxy(site_recommender, params, site_root):
    access = Access(address="https://music.example", keys=Keys(PASSWORD))
    with serving(create_app(site_recommender, params.recommend, site_root, access)) as origin:
        assert "secure" in entered(origin, "form")[1].headers["set-cookie"].lower()
