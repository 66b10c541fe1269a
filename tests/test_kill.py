"""Each acquiring stage, killed at random moments and run again, leaves the same files as an undisturbed run."""

import contextlib
import hashlib
import importlib
import io
import json
import random
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ruamel.yaml import YAML

from pipeline.core.stage import launch
from pipeline.params import Params
from tests.forks import Fork

ROOT = Path(__file__).parent.parent
FILMS = [a + b for a in ("AA", "AB") for b in "ABCDEFGH"]
KILLS = 4
PAUSE_SECONDS = 0.004  # server delay before each block, so that runs last long enough to be killed within transfers
BLOCK_BYTES = 4096
PAGE = """<html><head><script>"wgRevisionId":{revision}</script></head><body><h1 id="firstHeading">Film {fid}</h1>
<table class="infobox"><tr><td><a href="/wiki/File:{fid}.jpg" class="image"><img src="/poster/{fid}.jpg"></a></td></tr>
<tr><th>Directed by</th><td>Somebody</td></tr></table><h2 id="Plot">Plot</h2><p>{plot}</p>
<div id="mw-normal-catlinks"><a>Categories</a><ul><li><a>1931 films</a></li><li><a>War films</a></li></ul></div>
</body></html>"""


class SlowHandler(SimpleHTTPRequestHandler):
    """Serves a folder in small blocks; `/wiki/AAA` is a file without a suffix."""

    extensions_map: ClassVar = {"": "text/html; charset=utf-8", ".jpg": "image/jpeg", ".mp3": "audio/mpeg"}

    def copyfile(self, source, outputfile) -> None:
        with contextlib.suppress(ConnectionError):
            while block := source.read(BLOCK_BYTES):
                time.sleep(PAUSE_SECONDS)
                outputfile.write(block)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """Return a folder to copy, with params.yaml and a corpus of films on a slow server."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("start")
    for name in ("wiki", "poster", "audio"):
        (site / name).mkdir()
    for number, fid in enumerate(FILMS):
        dice = random.Random(number)
        plot = " ".join(f"{dice.random()}" for _ in range(2000))
        (site / "wiki" / fid).write_text(PAGE.format(fid=fid, revision=number + 1, plot=plot))
        Image.effect_noise((230, 300), 40).save(site / f"poster/{fid}.jpg")
        (site / f"audio/{fid}.mp3").write_bytes(tone(200.0 + 20 * number))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SlowHandler, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_port}"
    (folder / "corpus").mkdir()
    meta = {f: {"wikipedia": f"{origin}/wiki/{f}", "soundtrack": [f"{origin}/audio/{f}.mp3"]} for f in FILMS}
    (folder / "corpus/meta.json").write_text(json.dumps(meta))
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["corpus"] |= {"folder": "corpus", "serve": None}
    # In one process, so that kills fall into the work and not into the start of other processes.
    params["segment"] |= {"seconds": 1.0, "hop_seconds": 0.1, "min_seconds": 0.5, "max_per_film": 8}
    params["machine"]["processes"] = 1
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    yield folder
    server.shutdown()
    server.server_close()


def tone(hertz: float) -> bytes:
    """Return two seconds of a sine as MP3."""
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(88_200) / 44_100)
    frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = 44_100
    data = io.BytesIO()
    with av.open(data, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=44_100, layout="mono")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()


def work(say: Callable[[str], None], stage: str) -> None:
    """Run a stage; its work begins with the message."""

    def run(root: Path, params: Params) -> None:
        say("ready")
        corpus = [] if stage == "segment" else [params.corpus]
        machine = [params.machine] if stage in ("parse", "segment") else []
        module.main(root, *corpus, getattr(params, stage), *machine)

    module = importlib.import_module(f"stages.{stage}")
    launch(run, {"": Params})


def launched(stage: str, folder: Path) -> Fork:
    """Return the stage's process once its work begins."""
    process = Fork(folder, work, stage)
    assert process.message() == "ready"
    return process


def finished(stage: str, folder: Path) -> float:
    """Run a stage to its end and return the duration of its work in seconds."""
    process = launched(stage, folder)
    begin = time.monotonic()
    process.finish()
    return time.monotonic() - begin


def left(folder: Path) -> dict[str, object]:
    """Return the results of a run: each file's digest, and the content of tables and rows without fetching times."""
    found: dict[str, object] = {}
    for path in sorted(path for path in (folder / "data").rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
            found[name] = [{key: value for key, value in row.items() if key != "fetched_at"} for row in rows]
        elif path.suffix == ".json":
            found[name] = json.loads(path.read_text()) | {"fetched_at": None}
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "before", "resumes"),
    [("scrape", [], True), ("parse", ["scrape"], False), ("download", [], True), ("segment", ["download"], True)],
)
def test_killed_at_random_moments(stage, before, resumes, start, tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    shutil.copytree(start, undisturbed)
    for name in before:
        finished(name, undisturbed)
    shutil.copytree(undisturbed, disturbed)
    seconds = finished(stage, undisturbed)
    dice, killed, launches = random.Random(stage), 0, 0
    while killed < KILLS:  # a run that ended before it was killed does not count
        launches += 1
        assert launches <= 3 * KILLS
        process = launched(stage, disturbed)
        # A stage that resumes is killed early, so that all kills fall into its work.
        time.sleep(dice.uniform(0.0, seconds / 8 if resumes else seconds))
        killed += not process.ended()
        process.kill()
    finished(stage, disturbed)
    expected = left(undisturbed)
    assert len(expected) > len(FILMS)
    assert left(disturbed) == expected
