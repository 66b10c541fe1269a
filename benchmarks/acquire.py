"""Scraping and parsing at the size of the published data: 7,771 generated films on loopback, without rate limit.

Prints films per second of `scrape` against a bare loop of requests for the same pages and posters; the memory of
`scrape` after a tenth of the films and at its peak; the time of a rerun with nothing to do; pages per second of `parse`
in one and two processes, against only building the same trees.

    python -m benchmarks.acquire [--films 7771]
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from bs4 import BeautifulSoup
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
ALONE = 300  # pages of the bare loops


def main(films: int) -> None:
    """Run all and print the figures."""
    with tempfile.TemporaryDirectory() as name, wiki() as server:
        folder, origin = Path(name), server.stdout.readline().strip()
        corpus(folder, origin, films)
        bare = bare_requests(origin)
        seconds, early, peak = stage(folder, "scrape", films)
        print(f"scrape: {films / seconds:.0f} films/s, {films / seconds / bare:.2f} of a bare loop's {bare:.0f}")
        print(
            f"scrape: {early:.0f} MB after a tenth of the films, at most {peak / early:.2f} times that, {peak:.0f} MB"
        )
        print(f"scrape, nothing to do: {stage(folder, 'scrape', films)[0]:.1f} s")
        trees = bare_trees(folder)
        for processes in (1, 2):
            set_param(folder, "machine", "processes", processes)
            rate = films / stage(folder, "parse", films)[0]
            print(
                f"parse, {processes} processes: {rate:.0f} pages/s, {rate / trees:.2f} of a bare parser's {trees:.0f}"
            )


def wiki() -> subprocess.Popen:
    """Return the running server; the first line of its output is its origin."""
    return _Server([sys.executable, "-m", "benchmarks.wiki"], cwd=ROOT, stdout=subprocess.PIPE, text=True)


class _Server(subprocess.Popen):
    def __exit__(self, *error: object) -> None:
        self.kill()
        super().__exit__(*error)


def corpus(folder: Path, origin: str, films: int) -> None:
    """Write params.yaml and a corpus of `films` films."""
    letters = [chr(65 + n) for n in range(26)]
    fids = [a + b + c for a in letters for b in letters for c in letters][:films]
    meta = {f: {"wikipedia": f"{origin}/wiki/Film_{n}", "soundtrack": []} for n, f in enumerate(fids)}
    (folder / "corpus").mkdir()
    (folder / "corpus/meta.json").write_text(json.dumps(meta))
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    set_param(folder, "corpus", "folder", "corpus")
    set_param(folder, "corpus", "serve", None)


def set_param(folder: Path, section: str, key: str, value: object) -> None:
    """Change one parameter."""
    yaml = YAML()
    params = yaml.load((folder / "params.yaml").read_text())
    params[section][key] = value
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)


def bare_requests(origin: str) -> float:
    """Return the films per second of a loop that fetches page and poster and keeps nothing."""
    start = time.monotonic()
    with requests.Session() as session:
        for number in range(ALONE):
            session.get(f"{origin}/wiki/Film_{number}").raise_for_status()
            session.get(f"{origin}/poster/{number}.jpg").raise_for_status()
    return ALONE / (time.monotonic() - start)


def bare_trees(folder: Path) -> float:
    """Return the pages per second of a loop that only builds each page's tree."""
    paths = sorted((folder / "data/pages").glob("*.html.gz"))[:ALONE]
    start = time.monotonic()
    for path in paths:
        BeautifulSoup(gzip.decompress(path.read_bytes()), "lxml")
    return len(paths) / (time.monotonic() - start)


def stage(folder: Path, name: str, films: int) -> tuple[float, float, float]:
    """Run a stage; return its seconds, its memory in MB after a tenth of the films, and its peak memory."""
    start = time.monotonic()
    command = [sys.executable, "-m", f"stages.{name}"]
    path = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=folder, env=os.environ | path, stderr=subprocess.PIPE, text=True)
    early = peak = 0.0
    while process.poll() is None:
        memory = resident(process.pid)
        peak = max(peak, memory)
        if not early and len(list((folder / "data/posters").glob("*"))) * 10 >= films:
            early = memory
        time.sleep(0.2)
    if process.returncode:
        sys.exit(process.stderr.read())
    return time.monotonic() - start, early or peak, peak


def resident(pid: int) -> float:
    """Return the memory in use by a process in MB, 0 after its end."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=7771)
    main(parser.parse_args().films)
