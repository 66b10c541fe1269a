"""A wiki on loopback that answers `api.php?action=query` as MediaWiki does, in small parts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class WikiPage:
    categories: tuple[str, ...] = ("1999 films",)
    disambiguation: bool = False
    redirect: str = ""
    section: str = ""


@dataclass
class Wiki:
    """`pages` by title; the answers in `first` come first, one per request."""

    origin: str
    pages: dict[str, WikiPage] = field(default_factory=dict)
    first: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    categories_a_part: int = 3
    members_a_part: int = 50
    subcategories: int = 0

    def answer(self, ask: dict[str, str]) -> dict:
        if ask.get("generator") == "categorymembers":
            return self._members(ask)
        titles = ask["titles"].split("|")
        if len(titles) > 50:
            return {"error": {"code": "toomanyvalues", "info": 'Too many values supplied for parameter "titles".'}}
        if ask["prop"] == "categoryinfo":
            return self._category(titles[0])
        query: dict = {}
        shown = []
        for given in titles:
            title = " ".join(given.replace("_", " ").split())
            title = title[:1].upper() + title[1:]
            if title != given:
                query.setdefault("normalized", []).append({"fromencoded": False, "from": given, "to": title})
            if title.startswith("Fr:"):
                query.setdefault("interwiki", []).append({"title": title, "iw": "fr"})
                continue
            shown.append(title)
        return self._pages(ask, shown, query, {})

    def _members(self, ask: dict[str, str]) -> dict:
        name = ask["gcmtitle"].removeprefix("Category:")
        assert ask["gcmnamespace"] == "0" and int(ask["gcmlimit"]) <= 50
        members = sorted(title for title, page in self.pages.items() if name in page.categories)
        start = int(ask.get("gcmcontinue", "page|0").split("|")[1])
        part = members[start : start + self.members_a_part]
        more = start + self.members_a_part < len(members)
        follow = {"gcmcontinue": f"page|{start + self.members_a_part}"} if more else {}
        return self._pages(ask, part, {}, follow)

    def _pages(self, ask: dict[str, str], titles: list[str], query: dict, follow: dict) -> dict:
        reached = []
        for title in titles:
            hops = set()
            while title in self.pages and self.pages[title].redirect and title not in hops:
                page = self.pages[title]
                hops.add(title)
                query.setdefault("redirects", []).append(
                    {"from": title, "to": page.redirect} | ({"tofragment": page.section} if page.section else {})
                )
                title = page.redirect
            if title not in hops:
                reached.append(title)
        reached = list(dict.fromkeys(reached))
        rows = [(title, name) for title in reached for name in self.pages.get(title, WikiPage(())).categories]
        start = int(ask.get("clcontinue", "0"))
        part = rows[start : start + self.categories_a_part]
        query["pages"] = [self._page(title, part, start) for title in reached]
        if not query["pages"]:
            del query["pages"]
        if start + self.categories_a_part < len(rows):
            on = {"clcontinue": str(start + self.categories_a_part), "continue": "||info|pageprops"}
            on |= {"gcmcontinue": ask["gcmcontinue"]} if "gcmcontinue" in ask else {}
            return {"continue": on, "query": query}
        more = {"continue": follow | {"continue": "gcmcontinue||"}} if follow else {}
        return {"batchcomplete": True} | more | ({"query": query} if query else {})

    def _page(self, title: str, part: list[tuple[str, str]], start: int) -> dict:
        if title.startswith("["):
            return {"title": title, "invalidreason": "bad character", "invalid": True}
        namespace = 14 if title.startswith("Category:") else 0
        if title not in self.pages:
            return {"ns": namespace, "title": title, "missing": True}
        page = self.pages[title]
        found = [{"ns": 14, "title": f"Category:{name}"} for owner, name in part if owner == title]
        properties = {"pageprops": {"disambiguation": ""}} if page.disambiguation and start == 0 else {}
        return {"pageid": 1, "ns": namespace, "title": title} | ({"categories": found} if found else {}) | properties

    def _category(self, title: str) -> dict:
        name = title.removeprefix("Category:")
        number = sum(name in page.categories for page in self.pages.values())
        page = {"ns": 14, "title": title}
        if number + self.subcategories == 0:
            return {"batchcomplete": True, "query": {"pages": [page | {"missing": True}]}}
        size = {"size": number, "pages": number, "files": 0, "subcats": self.subcategories, "hidden": False}
        return {"batchcomplete": True, "query": {"pages": [page | {"categoryinfo": size}]}}


@contextmanager
def serve_wiki() -> Iterator[Wiki]:
    """Yield a wiki without pages on its own port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # headers and body in one packet

        def do_GET(self) -> None:
            running.paths.append(self.path)
            ask = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            running.asked.append(ask)
            assert urlsplit(self.path).path == "/w/api.php" and ask["action"] == "query" and ask["maxlag"]
            headers = {"Content-Type": "application/json; charset=utf-8"}
            if running.first:
                status, more, body = running.first.pop(0)
                headers |= more
            else:
                status, body = 200, json.dumps(running.answer(ask)).encode()
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Wiki(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield running
    server.shutdown()
    server.server_close()
