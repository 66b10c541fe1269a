import hashlib
import http.client

import pytest

from pipeline.core.errors import CorpusError
from pipeline.corpus.site import Site, served_file, serving


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """Host and port of a served corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "secret.txt").write_text("confidential")
    (folder / "meta.json").write_text("confidential")
    wiki = folder / "site/wiki"
    (wiki / "Face").mkdir(parents=True)
    for title in ("Fog", "Sherlock_Jr.", "Amélie", "What?_(film)", "Face/Off", "50%"):
        (wiki / f"{title}.html").write_text(f"page {title}")
    (folder / "site/a.m4a").write_bytes(b"sound")
    (folder / "site/.html").write_text("dot")
    with serving(folder, "site") as site:
        yield site.origin.removeprefix("http://")


@pytest.fixture
def get(origin):
    """Return a function from a path, sent unchanged, to the status, media type and body."""

    def ask(path):
        connection = http.client.HTTPConnection(origin, timeout=5)
        connection.request("GET", path)
        response = connection.getresponse()
        answer = response.status, response.headers.get_content_type(), response.read().decode()
        connection.close()
        return answer

    return ask


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/wiki/Fog", "Fog"),
        ("/wiki/Fog?action=view", "Fog"),
        ("/wiki/Fog#Plot", "Fog"),
        ("/wiki/Sherlock_Jr.", "Sherlock_Jr."),
        ("/wiki/Am%C3%A9lie", "Amélie"),
        ("/wiki/What%3F_%28film%29", "What?_(film)"),
        ("/wiki/What%3F_(film)", "What?_(film)"),
        ("/wiki/What?_(film)", "What?_(film)"),
        ("/wiki/What?_(film)?action=view", "What?_(film)"),
        ("/wiki/Face/Off", "Face/Off"),
        ("/wiki/Face%2FOff", "Face/Off"),
        ("/wiki/50%25", "50%"),
    ],
)
def test_titles(get, path, title):
    assert get(path) == (200, "text/html", f"page {title}")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/wiki/Nosferatu", "wiki/Nosferatu.html"),
        ("/wiki/Who?_(film)", "wiki/Who?_(film).html"),
        ("/wiki/%E9%9B%A8%0D%0AX:y", "wiki/%E9%9B%A8%0D%0AX:y.html"),
        ("/audio/b.m4a", "audio/b.m4a"),
        ("/../secret.txt", "secret.txt"),
        ("/", "."),
    ],
)
def test_a_missing_file_is_named(origin, path, file):
    connection = http.client.HTTPConnection(origin, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    connection.close()
    assert response.status == 404
    assert f" {file} " in response.reason
    assert "y" not in response.headers


def test_other_files_have_their_type(get):
    assert get("/a.m4a") == (200, "audio/mp4", "sound")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/wiki/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/wiki/%2e%2e/%2e%2e/meta.json",
        "/..%2fsecret.txt",
        "//etc/passwd",
        "/%2Fetc/passwd",
        "/%00",
        "/wiki/Fog%00",
        "/wiki/..%00/../meta.json",
        "/" + "x" * 10_000,
        "/%ff%fe",
    ],
)
def test_nothing_outside_the_site_is_served(get, path):
    status, _, body = get(path)
    assert status == 404 and "confidential" not in body and "root" not in body


@pytest.mark.parametrize("path", ["/", "/wiki", "/wiki/", "/wiki/None", "/wiki/Fog.html", "/wiki/Fog/", "/b.m4a"])
def test_missing_pages_and_no_listing(get, path):
    status, _, body = get(path)
    assert status in (301, 404) and "Amélie" not in body


def test_no_path_leads_outside(tmp_path):
    for path in ("/../x", "/wiki/../../x", "/%2e%2e%2fx", "//etc/passwd", "/%2Fetc", "/a/%2e%2e/%2e%2e/b", "", "/%00"):
        assert served_file(tmp_path, path).resolve().is_relative_to(tmp_path.resolve())


def test_nothing_to_serve(tmp_path):
    with serving(tmp_path, None) as site:
        assert site == Site("", None)
    with pytest.raises(CorpusError, match=r"corpus\.serve"), serving(tmp_path, "site"):
        pass


def test_origin_round_trips(tmp_path):
    site = Site("http://127.0.0.1:8000", tmp_path)
    assert site.address("{origin}/wiki/Fog") == site.origin + "/wiki/Fog"
    assert site.name(site.origin + "/wiki/Fog") == "{origin}/wiki/Fog"
    for url in ("https://example.org/x", "http://127.0.0.1:80001/x"):
        assert site.address(url) == site.name(url) == url
    assert Site("", None).name("https://example.org/x") == "https://example.org/x"
    with pytest.raises(CorpusError, match=r"corpus\.serve"):
        Site("", None).address("{origin}/wiki/Fog")


def test_digest_of_served_files_without_a_request(tmp_path):
    (tmp_path / "site/wiki").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "site/wiki/50%.html").write_bytes(b"page")
    with serving(tmp_path, "site") as site:
        assert site.sha256("{origin}/wiki/50%25") == hashlib.sha256(b"page").hexdigest()
        for url in (
            "{origin}/wiki/None",
            "{origin}/../secret",
            "{origin}/wiki",
            "{origin}/%00",
            "https://a.org/wiki/50%25",
        ):
            assert site.sha256(url) is None
