"""The stages at ten times the size of the published data, 77,710 films and 740,000 tracks, against a tenth of that.

Everything is generated: films with tags and a plot of four paragraphs, tracks of 30 s with as many landmarks as music
has, one film in a hundred with a segment of another film; vectors are random, of width `WIDTH` (3,012 in the default
encoder). The stages' code runs on them, each in a separate process that reports CPU seconds and peak memory, of which
PyTorch and other libraries use about 650 MB; generating is not counted. Parts linear in the tracks take ten times as
long at ten times the size; evaluation ranks a hundred times as many pairs of films and tracks.

    python -m benchmarks.scale             # the published size and ten times it; 10 GB of disk, 12 GB of memory
    python -m benchmarks.scale --times 1   # the published size and a tenth of it
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.report import Figure, figure, in_own_process, peak_megabytes, publish
from pipeline.apps.recommend.index import open_index
from pipeline.apps.recommend.search import ExactSearch
from pipeline.core.sharing import packed
from pipeline.core.tables import DATASET, DOWNLOADS, FILMS, PAGES, SEGMENTS, SOUND, read_table
from pipeline.core.variants import apart
from pipeline.core.workers import batches
from pipeline.encoders.audio import libraries_of
from pipeline.evaluate.evaluation import evaluate_model, pool_of
from pipeline.features import audio_windows, text
from pipeline.features.peaks import COUNT
from pipeline.model.index import index_films
from pipeline.model.store import build_model, load_model, model_config, save_model
from pipeline.params import Params, load_params
from pipeline.store.cache import open_cache, versions, write_shard
from pipeline.store.films import films_of, open_store
from pipeline.store.index import INDEX
from pipeline.store.inputs import film_rows
from pipeline.store.table import IMAGE_KEYS, write_features
from pipeline.train.sampling import epoch_plans
from stages import split

ROOT = Path(__file__).parent.parent
FILMS_ONCE, TRACKS_ONCE = 7771, 74_000
WIDTH = 256  # of all vectors
PARAGRAPHS, WORDS_EACH = 4, 80
LANDMARKS, FRAMES = 280, 640  # of 30 s
WORDS = 5_800_000  # uniform, for the collision rate of different music: 1.7e-7
GROUP_FILMS = 500  # generated at a time
VARIANT = "All"
QUERIES = 20
CPU = torch.device("cpu")
SPEC = {"encoder": "generated", "pooling": "auto", "window_seconds": 30.0, "window_hop_seconds": 30.0}

Row = dict[str, Any]


class Encoder:
    """A stand-in for encoders of music and text, with random vectors."""

    def __init__(self) -> None:
        self.spec, self.width, self.sample_rate, self.tags = SPEC, WIDTH, 16_000, ()

    def encode_groups(self, groups: Iterable[list[str]]) -> Iterator[np.ndarray]:
        """Yield vectors [items, f] of each group."""
        rng = np.random.default_rng(3)
        for group in groups:
            yield rng.normal(size=(len(group), WIDTH)).astype(np.float32)


def main(times: float) -> None:
    """Run all parts at `times` the published size, and at a tenth of that, and print the figures."""
    found = {}
    for size in (times / 10, times):
        with tempfile.TemporaryDirectory() as folder:
            found[size] = {
                part: in_own_process("benchmarks.scale", "--part", part, folder, "--times", str(size), threads=2)
                for part in PARTS
            }
    tenth, whole = found.values()
    publish("scale", [line for part in REPORTED for line in figures(part, tenth[part], whole[part])])


def figures(part: str, tenth: dict[str, float], whole: dict[str, float]) -> list[Figure]:
    """Return the lines of a part: seconds, memory and rates, against those at a tenth of the size."""
    units = {"memory": "MB", "rate": "tracks/s", "query": "ms"}
    return [
        figure(f"{part}: {name}", value, units.get(name, "s"), tenth[name], "at a tenth")
        for name, value in whole.items()
    ]


def tables(root: Path, params: Params, times: float) -> Row:
    """Write the inputs of the stage `split`, one group of films at a time."""
    films, tracks = round(FILMS_ONCE * times), round(TRACKS_ONCE * times)
    counts = np.bincount(np.random.default_rng(0).integers(films, size=tracks - films), minlength=films) + 1
    writers = {
        name: pq.ParquetWriter(made(root / f"data/{name}.parquet"), schema, compression="zstd")
        for name, schema in {"pages": PAGES, "films": FILMS, "downloads": DOWNLOADS, "segments": SEGMENTS}.items()
    }
    rng = np.random.default_rng(1)
    shared: list[tuple[np.ndarray, np.ndarray]] = []  # landmarks to be shared by a later film
    for group in batches(range(films), GROUP_FILMS):
        rows: dict[str, list[Row]] = {name: [] for name in writers}
        for number in group:
            rows["pages"].append(blank(PAGES) | {"fid": fid_of(number), "status": "ok", "poster_status": "ok"})
            rows["films"].append(film_row(number, rng))
            rows["downloads"].append(download_row(number))
            rows["segments"] += [segment_row(number, n, rng, shared) for n in range(counts[number])]
        for name, of_group in rows.items():
            writers[name].write_table(pa.Table.from_pylist(of_group, schema=writers[name].schema))
    for writer in writers.values():
        writer.close()
    return {}


def split_films(root: Path, params: Params, times: float) -> Row:
    """Group the films that share music, and split them."""
    with clock() as seconds:
        split.main(root, "corpus", params.split, params.variants)
    return {"seconds": seconds[0]}


def known_vectors(root: Path, params: Params, times: float) -> Row:
    """Fill the caches of music and texts, and write the table of posters."""
    rows, rng = dataset(root), np.random.default_rng(2)
    about = {"spec": SPEC, "versions": versions(*libraries_of(params.features.audio.encoder))}
    cache = open_cache(root / "data/features", "audio", about)
    for group in batches(rows, audio_windows.GROUP_TRACKS):
        vectors = rng.normal(size=(len(group), 1, WIDTH)).astype(np.float32)
        write_shard(cache.folder, {row["file_sha256"]: of for row, of in zip(group, vectors, strict=True)})
    write_texts(root, rows, params)
    (root / "data/features/text.parquet").unlink()
    keys = ({"fid": film["fid"], "crop": 0, "sha256": film["fid"]} for film in film_rows(rows))
    groups = ((group, rng.normal(size=(len(group), WIDTH))) for group in batches(keys, text.GROUP_ROWS))
    write_features(root / "data/features/image.parquet", IMAGE_KEYS, groups, WIDTH, np.float32, {"spec": SPEC})
    return {}


def audio_table(root: Path, params: Params, times: float) -> Row:
    """Write the table of the tracks, all cached."""
    rows = dataset(root)
    with clock() as seconds, mock.patch.object(audio_windows, "load_audio_encoder", lambda *_: Encoder()):
        path = root / "data/features/audio.parquet"
        assert audio_windows.write_windows(root, path, rows, params.features.audio, params.machine) == 0
    return {"seconds": seconds[0]}


def text_table(root: Path, params: Params, times: float) -> Row:
    """Write the table of the texts, all cached."""
    rows = dataset(root)
    with clock() as seconds:
        assert write_texts(root, rows, params) == 0
    return {"seconds": seconds[0]}


def epoch(root: Path, params: Params, times: float) -> Row:
    """Open the tables and read an epoch as training does."""
    inputs = apart(params.row(VARIANT).inputs)
    with clock() as opened:
        rows = [row for row in dataset(root) if row["split"] == "train"]
        store = open_store(root / "data/features", inputs)
        films = films_of(rows, store)
    with clock() as seconds:
        train = replace(params.train, sampler="tracks", batch_size=512)
        for plan in epoch_plans(films, store, 1, train, np.random.default_rng(0)):
            store.batch(plan.read(store, 1), CPU)
    return {"opening": opened[0], "rate": len(rows) / seconds[0]}


def untrained_model(root: Path, params: Params, times: float) -> Row:
    """Write a model with random weights."""
    inputs = apart(params.row(VARIANT).inputs)
    store = open_store(root / "data/features", inputs)
    torch.manual_seed(0)
    config = model_config(VARIANT, inputs, params.model, store.specs(), 1)
    save_model(root / "models" / VARIANT, build_model(config), config)
    return {}


def evaluation(root: Path, params: Params, times: float) -> Row:
    """Evaluate the model."""
    model, config = load_model(root / "models" / VARIANT)
    with clock() as seconds:
        rows = pool_of(dataset(root), params.evaluate.pool)
        store = open_store(root / "data/features", config["inputs"])
        about = {row["fid"]: row for row in read_table(root / "data/films.parquet", FILMS, "parse")}
        evaluate_model(model, config, store, rows, about, params.evaluate, params.machine.embed_batch_size, CPU)
    return {"seconds": seconds[0]}


def index(root: Path, params: Params, times: float) -> Row:
    """Write the index of all tracks."""
    inputs = apart(params.row(VARIANT).inputs)
    sounds = pq.ParquetWriter(made(root / "data/features/sound.parquet"), SOUND, compression="zstd")
    for group in batches(dataset(root), GROUP_FILMS):
        sounds.write_table(pa.Table.from_pylist([sound_row(row) for row in group], schema=SOUND))
    sounds.close()
    with clock() as seconds:
        index_films(root, root / INDEX, VARIANT, inputs, params.machine.embed_batch_size, CPU)
    return {"seconds": seconds[0]}


def query(root: Path, params: Params, times: float) -> Row:
    """Open the index and search it."""
    with clock() as opened:
        opened_index = open_index(root / INDEX, "")
    search = ExactSearch(opened_index)
    with clock() as seconds:
        for number in range(QUERIES):
            opened_index.rows(next(search.nearest(opened_index.vectors[number])))
    return {"opening": opened[0], "query": seconds[0] / QUERIES * 1000}


PARTS: dict[str, Callable[[Path, Params, float], Row]] = {
    "tables": tables,
    "split": split_films,
    "known vectors": known_vectors,
    "audio table": audio_table,
    "text table": text_table,
    "epoch": epoch,
    "model": untrained_model,
    "evaluation": evaluation,
    "index": index,
    "query": query,
}
REPORTED = ("split", "audio table", "text table", "epoch", "evaluation", "index", "query")


@contextmanager
def clock() -> Iterator[list[float]]:
    """Yield a list that receives the CPU seconds of the block at its end."""
    seconds: list[float] = []
    start = time.process_time()
    yield seconds
    seconds.append(time.process_time() - start)


def dataset(root: Path) -> list[Row]:
    """Return the rows of the data set."""
    return read_table(root / "data/dataset.parquet", DATASET, "split")


def write_texts(root: Path, rows: list[Row], params: Params) -> int:
    """Write the text table; return the number of vectors drawn."""
    with mock.patch.object(text, "load_text_encoder", lambda *_: Encoder()):
        return text.write_text_features(root / "data/features/text.parquet", rows, params.features.text, params.machine)


def film_row(number: int, rng: np.random.Generator) -> Row:
    """Return a row of data/films.parquet."""
    words = rng.integers(10_000, size=(PARAGRAPHS, WORDS_EACH))
    plot = "\n".join(" ".join(f"word{word}" for word in paragraph) for paragraph in words)
    known = {"fid": fid_of(number), "status": "ok", "title": f"Film {number}", "year": 1920 + number % 100}
    return blank(FILMS) | known | {"tags": f"drama {number % 500}", "plot": plot, "image": f"{number}.jpg"}


def download_row(number: int) -> Row:
    """Return a row of data/downloads.parquet."""
    fid = fid_of(number)
    known = {"fid": fid, "number": 0, "status": "ok", "url": f"u{number}", "path": f"data/downloads/{fid}/000.webm"}
    return blank(DOWNLOADS) | known | {"decoded_seconds": 600.0, "sha256": f"recording {number}"}


def segment_row(film: int, number: int, rng: np.random.Generator, shared: list[tuple[np.ndarray, np.ndarray]]) -> Row:
    """Return a row of data/segments.parquet; the first of one film in a hundred sounds like another film's."""
    fid, words = fid_of(film), rng.integers(WORDS, size=LANDMARKS).astype(np.uint32)
    frames = np.sort(rng.integers(FRAMES, size=LANDMARKS))
    if number == 0 and film % 200 == 0:
        shared.append((words, frames))
    elif number == 0 and film % 200 == 100 and shared:
        words, frames = shared.pop()
    path = f"data/audio/{'/'.join(fid)}/{number}.mp3"
    known = {"fid": fid, "number": number, "status": "ok", "path": path, "source": f"data/downloads/{fid}/000.webm"}
    known |= {"source_url": f"u{film}", "title": f"Track {number}", "start_seconds": 30.0 * number, "seconds": 30.0}
    digest = f"{film:032x}{number:032x}"
    landmarks = packed(words, frames)
    return blank(SEGMENTS) | known | {"sha256": digest, "file_sha256": digest, "landmarks": landmarks}


def sound_row(row: Row) -> Row:
    """Return a row of data/features/sound.parquet for a row of the data set."""
    known = {"fid": row["fid"], "number": row["number"], "sha256": row["file_sha256"], "key": "A minor"}
    return known | {"tempo": 60.0 + row["number"], "loudness": -20.0, "peaks": bytes(range(COUNT))}


def blank(schema: pa.Schema) -> Row:
    """Return an empty row: empty texts and lists, null numbers."""
    empty = {field.name: None for field in schema}
    texts = {field.name: "" for field in schema if pa.types.is_string(field.type)}
    return empty | texts | {field.name: [] for field in schema if pa.types.is_list(field.type)}


def made(path: Path) -> Path:
    """Return a path after creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def fid_of(number: int) -> str:
    """Return a film's four letters."""
    return "".join(chr(65 + number // 26**place % 26) for place in (3, 2, 1, 0))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=float, default=10.0, help="size as a multiple of the published data's")
    parser.add_argument("--part", nargs=2, metavar=("PART", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        part, folder = given.part
        settings = load_params(ROOT / "params.yaml")
        result = PARTS[part](Path(folder), settings, given.times)
        print(json.dumps(result | {"memory": peak_megabytes()} if part in REPORTED else {}))
    else:
        main(given.times)
    sys.exit()
