import threading

import pytest

from pipeline.core.errors import ParamsError
from pipeline.core.web import Pace
from pipeline.download.breaker import CircuitBreaker
from pipeline.download.client import Client
from pipeline.download.cookies import read_cookies
from pipeline.download.recordings import intervals_of
from tests.faults import ok

HEAD = "# Netscape HTTP Cookie File\n"
LINE = "{host}\tFALSE\t/\tFALSE\t0\tsession\tsecret\n"


def sets_a_cookie(body):
    """Return an answer that changes the cookie."""
    return ok(body, "audio/mpeg", {"Set-Cookie": "session=changed"})


@pytest.mark.parametrize("place", ["cookies.txt", "absolute"])
def test_cookies_are_sent_and_the_file_is_never_changed(place, server, tone, fetch, root):
    path = root / "cookies.txt"
    path.write_text(HEAD + LINE.format(host="127.0.0.1"))
    path.chmod(0o400)
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    urls = [server.put(f"/{n}.mp3", sets_a_cookie(tone(".mp3", 1.0))) for n in range(4)]
    rows = fetch(*urls, workers=2, cookies=str(path) if place == "absolute" else place)
    assert [row["status"] for row in rows] == ["ok"] * 4
    assert server.requests[0].headers["Cookie"] == "session=secret"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)
    assert {found.name for found in root.iterdir()} == {"cookies.txt", "data"}


def test_without_the_parameter_none_is_sent(server, tone, fetch, root):
    (root / "cookies.txt").write_text(HEAD + LINE.format(host="127.0.0.1"))
    fetch(server.put("/a.mp3", ok(tone(".mp3", 1.0), "audio/mpeg")))
    assert all("Cookie" not in request.headers for request in server.requests)


def test_each_worker_has_a_jar_of_its_own(settings):
    breaker = CircuitBreaker()
    pace = Pace(intervals_of(settings), lambda: 0.0, breaker.wait)
    text = HEAD + LINE.format(host="127.0.0.1")
    clients = []
    threads = [threading.Thread(target=lambda: clients.append(Client(settings, pace, breaker, text))) for _ in range(2)]
    for thread in threads:
        thread.start()
        thread.join()
    first, second = clients
    first._ydl.cookiejar.clear()
    first.close()
    assert [cookie.value for cookie in second._ydl.cookiejar] == ["secret"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        (b"", "not a cookies.txt"),
        (b'[{"domain": "youtube.com"}]', "not a cookies.txt"),
        (b"\xff\xfe\x00", "not a cookies.txt"),
        (HEAD.encode(), "no cookies;"),
    ],
)
def test_an_invalid_cookie_file_stops_before_any_request(content, problem, server, fetch, root):
    if content is not None:
        (root / "cookies.txt").write_bytes(content)
    url = server.put("/a.mp3", ok(b"", "audio/mpeg"))
    with pytest.raises(ParamsError, match=rf"download\.cookies: .*cookies\.txt.*{problem}"):
        fetch(url, cookies="cookies.txt")
    assert not server.paths()


def test_a_folder_is_not_a_cookie_file(root):
    with pytest.raises(ParamsError, match=r"download\.cookies"):
        read_cookies(root, "")
