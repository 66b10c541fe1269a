"""A Hugging Face hub on loopback that lists models, serves their files in parts, and accepts pushes.

A model has one branch, `main`, and keeps all its commits. Large files (LARGE) are pushed by Git LFS, as to a hub
without Xet. Fixtures: `no_hub`, an empty cache and no server; `hub`, the same with a `Hub`.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from huggingface_hub import constants

LARGE = (".safetensors", ".parquet", ".pth", ".bin")
NOBODY = 9  # a port on which nothing listens
TOKEN = "hf_of_loopback"


@dataclass
class Hub:
    """The contents of the hub, and the requests it received."""

    endpoint: str = ""
    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)  # by model and commit; main last
    stored: dict[str, bytes] = field(default_factory=dict)  # pushed large files, by digest
    private: dict[str, bool] = field(default_factory=dict)  # models created here
    messages: list[str] = field(default_factory=list)  # of commits
    asked: list[str] = field(default_factory=list)  # method and path of every request
    tokens: set[str] = field(default_factory=set)  # tokens that were sent
    answers: dict[str, int] = field(default_factory=dict)  # an error status to return, by path
    gated: set[str] = field(default_factory=set)  # models without read access

    def add(self, model: str, files: Mapping[str, bytes] | Path) -> str:
        """Commit `files`, or those of a folder, as the whole content of `model`; return the commit."""
        if isinstance(files, Path):
            paths = sorted(path for path in files.rglob("*") if path.is_file())
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in paths}
        content = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in files.items()}, sort_keys=True)
        commit = hashlib.sha1(content.encode()).hexdigest()
        of_model = self.commits.setdefault(model, {})
        of_model.pop(commit, None)
        of_model[commit] = dict(files)
        return commit

    def main(self, model: str) -> dict[str, bytes]:
        """Return the files of a model's branch."""
        return list(self.commits[model].values())[-1]

    @property
    def fetched(self) -> list[str]:
        """The names of the downloaded files."""
        return [path.split("/", 5)[5] for path in self.asked if path.startswith("GET ") and "/resolve/" in path]


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable hub instead of the real one, with an empty cache and no token."""
    for name, value in (
        ("HF_HUB_CACHE", str(tmp_path / "cache")),
        ("HF_HUB_OFFLINE", False),
        ("HF_HUB_DISABLE_XET", True),
        ("HF_TOKEN_PATH", str(tmp_path / "no token")),
    ):
        monkeypatch.setattr(constants, name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    point_to(monkeypatch, NOBODY)


@pytest.fixture
def hub(no_hub: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub without models, used instead of the real one."""
    found = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": found}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    found.endpoint = f"http://127.0.0.1:{server.server_port}"
    point_to(monkeypatch, server.server_port)
    yield found
    server.shutdown()
    server.server_close()


def point_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Point the client at loopback, as the variable HF_ENDPOINT does before any import."""
    endpoint = f"http://127.0.0.1:{port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self) -> None:
        path = self._begin()
        if path in self.hub.answers:
            self._fail(self.hub.answers[path])
        elif path.startswith("/api/models/"):
            self._describe("/".join(path.split("/")[3:5]), path.split("/")[5:])
        else:
            parts = path.strip("/").split("/", 4)  # OWNER/REPO/resolve/REVISION/NAME
            self._send(*parts[:2], *parts[3:]) if len(parts) == 5 and parts[2] == "resolve" else self._fail(404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path, body = self._begin(), self._body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._fail(401)
        elif path in self.hub.answers:
            self._fail(self.hub.answers[path])
        elif path == "/api/repos/create":
            asked = json.loads(body)
            model = f"{asked['organization']}/{asked['name']}"
            known = model in self.hub.private
            self.hub.private.setdefault(model, asked.get("visibility") == "private")
            self.hub.commits.setdefault(model, {"0" * 40: {}})
            self._json({"url": f"{self.hub.endpoint}/{model}"}, 409 if known else 200)
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif path.endswith(".git/info/lfs/objects/batch"):
            wanted = json.loads(body)["objects"]
            urls = [f"{self.hub.endpoint}/lfs/{large['oid']}" for large in wanted]
            answer = [large | {"actions": {"upload": {"href": u}}} for large, u in zip(wanted, urls, strict=True)]
            self._json({"objects": answer})
        elif "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = ["lfs" if name.endswith(LARGE) else "regular" for name in names]
            files = [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in zip(names, modes, strict=True)]
            self._json({"files": files})
        elif "/commit/" in path:
            self._commit("/".join(path.split("/")[3:5]), [json.loads(line) for line in body.splitlines()])
        else:
            self._fail(404)

    def do_PUT(self) -> None:
        digest, body = self._begin().rsplit("/", 1)[1], self._body()
        if hashlib.sha256(body).hexdigest() != digest:
            self._fail(400)
            return
        self.hub.stored[digest] = body
        self._answer(200, b"")

    def log_message(self, *_: Any) -> None:
        pass

    def _begin(self) -> str:
        self.hub.asked.append(f"{self.command} {self.path}")
        if "Authorization" in self.headers:
            self.hub.tokens.add(self.headers["Authorization"])
        return unquote(urlsplit(self.path).path)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _found(self, model: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return a commit and its files, or answer with an error if there is none."""
        if model in self.hub.gated:
            self._fail(403, "GatedRepo")
        elif model not in self.hub.commits:
            self._fail(404, "RepoNotFound")
        else:
            commits = self.hub.commits[model]
            commit = list(commits)[-1] if revision == "main" else revision
            if commit in commits:
                return commit, commits[commit]
            self._fail(404, "RevisionNotFound")
        return None

    def _describe(self, model: str, rest: list[str]) -> None:
        found = self._found(model, rest[1] if len(rest) > 1 else "main")
        if found is None:
            return
        commit, files = found
        if rest[:1] == ["tree"]:
            described = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in files.items()
            ]
            self._json(described)
            return
        sized = "blobs" in parse_qs(urlsplit(self.path).query)
        siblings = [{"rfilename": name} | ({"size": len(data)} if sized else {}) for name, data in files.items()]
        about = {"_id": "1", "id": model, "sha": commit, "private": self.hub.private.get(model, False)}
        self._json(about | {"siblings": siblings})

    def _send(self, owner: str, name: str, revision: str, file: str) -> None:
        found = self._found(f"{owner}/{name}", revision)
        if found is None:
            return
        commit, files = found
        if file not in files:
            self._fail(404, "EntryNotFound")
            return
        data, status, headers = files[file], 200, {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()}"'
        start = self.headers.get("Range", "").removeprefix("bytes=").partition("-")[0]
        if start:
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._answer(status, data[int(start or 0) :], headers)

    def _commit(self, model: str, lines: list[dict[str, Any]]) -> None:
        files = dict(self.hub.main(model))
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.hub.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        commit = self.hub.add(model, files)
        self._json({"commitOid": commit, "commitUrl": f"{self.hub.endpoint}/{model}/commit/{commit}"})

    def _json(self, value: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _fail(self, status: int, code: str = "") -> None:
        self._answer(status, b"", {"X-Error-Code": code} if code else {})

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
