"""Allowed addresses of connections, tested on loopback only, which is the address to refuse."""

import socket

import pytest

from pipeline.download.reach import CONNECT_SECONDS, AddressRefused, Reach, _pools
from tests.download.test_download_lists import feed
from tests.faults import FaultServer, ok, redirect

NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::a00:1",  # 10.0.0.1 by NAT64
    "2002:c0a8:101::1",  # 192.168.1.1 by 6to4
]
LINK_LOCAL = ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.fixture
def song(tone):
    return ok(tone(".mp3", 1.0), "audio/mpeg")


@pytest.fixture
def other():
    """A second server: on another port, so another site."""
    with FaultServer() as running:
        yield running


@pytest.fixture
def names(monkeypatch):
    """Resolve host names to the addresses in `names`, in turn; resolve other names as usual."""
    found: dict[str, list[str]] = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *arguments, **options):
        answers = found.get(host, [host])
        return resolve(answers.pop(0) if len(answers) > 1 else answers[0], *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


def test_a_firewall_costs_seconds_and_the_other_address_family_is_tried(monkeypatch):
    tried, timeouts = [], []
    found = ["2606:4700::1", "2606:4700::2", "2606:4700::3", "8.8.8.8", "8.8.4.4"]
    ours, theirs = socket.socketpair()

    def connect(place, timeout, **_):
        tried.append(place[0])
        timeouts.append(timeout)
        if place[0] == "8.8.4.4":
            return ours
        raise TimeoutError

    monkeypatch.setattr("pipeline.download.reach._addresses", lambda host, port: found)
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with ours, theirs:
        connection = _pools(Reach())["http"].ConnectionCls("example.org", 80, timeout=30.0)
        assert connection._new_conn() is ours
        assert tried == ["2606:4700::1", "8.8.8.8", "2606:4700::2", "8.8.4.4"]
        assert sum(timeouts) <= CONNECT_SECONDS
        assert ours.gettimeout() == connection.timeout == 30.0


@pytest.mark.parametrize("address", [*NOT_PUBLIC, *LINK_LOCAL])
def test_an_entry_reaches_no_address_that_is_not_public(address):
    reach = Reach()
    reach.of("https://www.youtube.com/playlist?list=x", by_user=False)
    with pytest.raises(AddressRefused, match="not public"):
        reach.require("example.org", 80, address)


@pytest.mark.parametrize("by_user", [True, False])
def test_public_addresses_are_reached(by_user):
    reach = Reach()
    reach.of("https://example.org/album", by_user)
    for address in PUBLIC:
        reach.require("example.org", 443, address)


def test_a_users_item_reaches_the_own_network_but_never_link_local():
    reach = Reach()
    reach.of("http://nas.local/a.mp3", by_user=True)
    for address in NOT_PUBLIC:
        if not address.startswith(("224", "ff02")):
            reach.require("nas.local", 80, address)
    for address in LINK_LOCAL:
        with pytest.raises(AddressRefused):
            reach.require("nas.local", 80, address)


def test_a_users_item_does_not_lead_from_the_web_into_the_own_network():
    """By a redirect, an embedded address, or the fragments of a manifest."""
    reach = Reach()
    reach.of("https://example.org/a.mp3", by_user=True)
    reach.require("example.org", 443, PUBLIC[0])
    with pytest.raises(AddressRefused):
        reach.require("192.168.1.1", 80, "192.168.1.1")
    reach.of("http://192.168.1.1/a.mp3", by_user=True)
    reach.require("192.168.1.1", 80, "192.168.1.1")


@pytest.mark.parametrize(
    ("item", "host", "port", "allowed"),
    [
        ("http://nas/list.xspf", "nas", 80, True),
        ("http://nas.local:8080/list.xspf", "NAS.local", 8080, True),
        ("http://192.168.1.1/list.xspf", "192.168.1.1", 80, True),
        ("http://192.168.1.1/list.xspf", "192.168.1.1", 81, False),
        ("http://192.168.1.1/list.xspf", "192.168.1.2", 80, False),
        ("http://evil.example/list.xspf", "evil.example", 80, False),  # its owner can point it anywhere
        ("ytsearch1:x", "192.168.1.1", 80, False),
    ],
)
def test_an_entry_may_be_on_its_playlists_host_in_the_own_network(item, host, port, allowed):
    reach = Reach()
    reach.of(item, by_user=False)
    if allowed:
        reach.require(host, port, "192.168.1.1")
    else:
        with pytest.raises(AddressRefused):
            reach.require(host, port, "192.168.1.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_playlist_entries_on_this_machine_are_rows_without_requests(host, server, other, song, fetch):
    other.put("/a.mp3", song)
    url = other.origin.replace("127.0.0.1", host) + "/a.mp3"
    own = server.put("/own.mp3", song)
    rows = fetch(server.put("/album", feed(url, own)))
    assert [row["status"] for row in rows] == ["skipped", "ok"]
    assert "not" in rows[0]["reason"] and "public" in rows[0]["reason"] and rows[0]["video_url"] == url
    assert other.paths() == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "OTHER/a.mp3"])
def test_entries_are_not_redirected_there(target, server, other, song, fetch):
    other.put("/a.mp3", song)
    moved = server.put("/moved", redirect(target.replace("OTHER", other.origin)))
    row = fetch(server.put("/album", feed(moved)))[0]
    assert row["status"] == "skipped" and "not a public one" in row["reason"]
    assert other.paths() == []


def test_a_name_is_judged_by_the_connected_address(server, other, song, fetch, names):
    """The first look-up gives a public address, later ones loopback: there is no time between check and use."""
    other.put("/a.mp3", song)
    names["rebinding.example"] = ["127.0.0.1"]
    port = other.origin.rpartition(":")[2]
    row = fetch(server.put("/album", feed(f"http://rebinding.example:{port}/a.mp3")))[0]
    assert row["status"] == "skipped" and "rebinding.example is not public (127.0.0.1)" in row["reason"]
    assert other.paths() == []


def test_a_kept_connection_is_judged_again(server, other, song, fetch):
    """The user's own item opens a connection to their network; an entry of a stranger's playlist cannot reuse it."""
    own = other.put("/own.mp3", song)
    other.put("/secret.mp3", song)
    album = server.put("/album", feed(f"{other.origin}/secret.mp3"))
    rows = fetch(own, album, workers=1)
    assert [row["status"] for row in rows] == ["ok", "skipped"]
    assert "/secret.mp3" not in other.paths()


def test_a_web_page_cannot_embed_addresses_of_the_own_network(server, other, song, fetch, monkeypatch):
    from pipeline.download import reach

    public = server.origin.rpartition(":")[2]
    judge = reach.Reach.require

    def require(ours, host, port, address):  # the first server counts as public
        judge(ours, host, port, PUBLIC[0] if str(port) == public else address)

    monkeypatch.setattr(reach.Reach, "require", require)
    target = other.put("/a.mp3", song)
    page = server.put("/page", ok(f'<html><title>x</title><body><audio src="{target}"></audio></body></html>'))
    assert [row["status"] for row in fetch(page)] == ["skipped"]
    assert other.paths() == []


def test_items_of_the_user_on_this_machine_are_fetched(server, other, song, fetch):
    target = other.put("/a.mp3", song)
    rows = fetch(target, server.put("/moved", redirect(target)))
    assert [row["status"] for row in rows] == ["ok", "ok"]


def test_behind_a_proxy_addresses_are_judged_all_the_same(server, other, song, fetch, monkeypatch):
    """The proxy connects, so only this can be tested here."""
    proxy = FaultServer()
    with proxy:
        proxy.put("http://169.254.169.254/a.mp3", song)
        monkeypatch.setenv("http_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        row = fetch(server.put("/album", feed("http://169.254.169.254/a.mp3")))[0]
        assert row["status"] == "skipped" and "not a public one" in row["reason"]
        assert proxy.paths() == []
