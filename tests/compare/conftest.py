"""Synthetic outputs of the stages before `compare`: films, audible tracks, rankings of known quality."""

import io
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.compare.section import Compare
from pipeline.core.files import write_bytes, write_json
from pipeline.core.tables import DATASET, write_table
from pipeline.core.variants import Variant
from pipeline.evaluate.bootstrap import confidence_intervals
from pipeline.evaluate.chance import chance_metrics
from pipeline.evaluate.metrics import averages, ceiling_metrics, query_metrics
from pipeline.evaluate.rankings import write_rankings
from pipeline.evaluate.section import Evaluate
from pipeline.media.audio import write_mp3
from tests.evaluate.trec_eval import untied

KS = [1, 5, 10]
RATE = 22050
HOSTILE = "<script>alert(1)</script> & \"Rock 'n' Roll\" <img src=x onerror=alert(2)>"


def make_dataset(root: Path, films: int, tracks: list[int], seconds: float) -> list[dict]:
    """Write data/dataset.parquet, posters and audio for `films` films; film i has `tracks[i % len(tracks)]` tracks."""
    rows = []
    for index in range(films):
        fid = "A" + chr(65 + index // 26) + chr(65 + index % 26)
        image = f"data/image/{fid}.jpg"
        content = io.BytesIO()
        shade = Image.linear_gradient("L").resize((224, 330))
        colour = Image.new("L", (224, 330), index * 37 % 255)
        Image.merge("RGB", (shade, colour, shade.rotate(180))).save(content, "jpeg", quality=80)
        write_bytes(root / image, content.getvalue())
        for number in range(tracks[index % len(tracks)]):
            path = f"data/audio/{'/'.join(fid)}/{number}.mp3"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            time = np.arange(round(seconds * RATE)) / RATE
            tone = np.sin(2 * np.pi * (220 + 15 * index + 40 * number) * time) * 8000
            write_mp3(root / path, tone.astype(np.int16), RATE, 32000)
            row = {"fid": fid, "split": "eval", "number": number, "path": path, "seconds": seconds}
            row |= {"sha256": path, "file_sha256": "0" * 64, "compared": True, "recording": path, "sound": path}
            if index == 0:
                row |= {"title": HOSTILE, "year": None, "tags": HOSTILE, "plot": HOSTILE}
            else:
                row |= {
                    "title": f"Film {fid}",
                    "year": 1930 + index,
                    "tags": "1930s drama",
                    "plot": "A train leaves. " * 60,
                }
            rows.append(row | {"image": image, "url": "https://example.org/film", "source_url": ""})
    write_table(root / "data/dataset.parquet", rows, DATASET)
    return rows


def added_keys(columns: dict[str, np.ndarray], relevant: list[int], candidates: int, chance: dict) -> dict:
    """Return synthetic figures of the other direction, of hubs and of slices, the last as averages of `columns`."""

    def of(films: list[int]) -> dict:
        chosen = {name: values[films] for name, values in columns.items()}
        intervals = {name: [values.min(), values.max()] for name, values in chosen.items()} if len(films) > 1 else {}
        counts = {"films": len(films), "tracks": sum(relevant[film] for film in films)}
        return counts | averages(chosen) | {"ci95": intervals, "chance": chance}

    everyone = list(range(len(relevant)))
    hits = {name: value for name, value in averages(columns).items() if not name.startswith(("recall", "map"))}
    hits |= {"hit_rate_at_10": 1.0}  # the same for all variants
    return {
        "music_to_film": {
            "queries": candidates,
            "candidates": len(relevant),
            **hits,
            "ci95": {name: [value / 2, value] for name, value in hits.items()},
            "chance": {name: chance[name] for name in hits},
            "ceiling": dict.fromkeys(hits, 1.0),
        },
        "hubness": {"k": 10, "most": 9.0, "never": 0.25, "skewness": -0.5, "chance_never": 0.125},
        "slices": {
            "decade": {"1930s": of(everyone[:7]), "1940s": of(everyone[7:11]), "not stated": of(everyone[11:])},
            "language": {},
            "genre": {HOSTILE: of(everyone[:8]), "costs $5 or $6": of(everyone[6:])},
            "missing": {"nothing": of(everyone)},
        },
    }


def make_variant(root: Path, variant: str, rows: list[dict], strength: float) -> None:
    """Write the outputs of training and evaluation for `variant`, which raises a film's own tracks by `strength`."""
    generator = np.random.default_rng(zlib.crc32(variant.encode()))
    owners = np.array([row["fid"] for row in rows])
    rankings = []
    for fid in dict.fromkeys(owners.tolist()):
        scores = generator.normal(size=len(rows)) + strength * (owners == fid)
        order = np.argsort(-scores)
        ranks = np.flatnonzero(owners[order] == fid) + 1
        row = {"fid": fid, "title": next(row["title"] for row in rows if row["fid"] == fid), "relevant": len(ranks)}
        row |= {"candidates": len(rows), "ranks": ranks.tolist()}
        row |= {"top_paths": [rows[index]["path"] for index in order[: max(KS)]]}
        row |= {"top_scores": (scores[order[: max(KS)]] / 6).tolist()}
        rankings.append(row)
    columns = query_metrics(untied([row["ranks"] for row in rankings], len(rows)), KS)
    for number, row in enumerate(rankings):
        row |= {name: float(values[number]) for name, values in columns.items()}
    write_rankings(root / f"metrics/rankings/{variant}.parquet", rankings)
    relevant = [row["relevant"] for row in rankings]
    metrics = {
        "variant": variant,
        "pool": "eval",
        "paragraphs": "mean",
        "unit": "segment",
        "queries": len(rankings),
        "candidates": len(rows),
        **averages(columns),
    }
    metrics |= {"ci95": confidence_intervals(columns, 200, 0)}
    metrics |= {
        "chance": chance_metrics(relevant, len(rows), KS),
        "ceiling": ceiling_metrics(relevant, len(rows), KS),
        "reference": {},
        "dataset": "0123456789abcdef",
    }
    of_unit = {name: metrics[name] for name in ("candidates", *averages(columns), "ci95", "chance", "ceiling")}
    metrics |= {"segments": of_unit, "recordings": of_unit}
    of_baseline = {name: metrics[name] / 2 for name in averages(columns)}
    metrics["baselines"] = {"linear": of_baseline | {"ci95": metrics["ci95"], "difference": [-0.1, 0.25, 0.5]}}
    metrics |= added_keys(columns, relevant, len(rows), metrics["chance"])
    write_json(root / f"metrics/evaluate/{variant}.json", metrics)
    lines = ["epoch,train_loss,valid_loss,logit_scale,learning_rate"]
    for epoch in range(1, 31):
        train, valid = 3.4 * np.exp(-epoch * strength / 25), 3.4 * np.exp(-epoch * strength / 60) + 0.0015 * epoch**1.5
        noise = generator.normal(scale=0.04, size=2)
        lines.append(f"{epoch},{train + noise[0]},{valid + noise[1]},5.0,0.001")
    write_bytes(root / f"models/{variant}/history.csv", ("\n".join(lines) + "\n").encode())


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A root folder with three variants over 12 films and 24 tracks, and parameters."""
    root = tmp_path_factory.mktemp("compare")
    variants = {"Im": Variant(["image"]), "Plo": Variant(["plot"]), "All": Variant(["tags_plot", "image"])}
    rows = make_dataset(root, films=12, tracks=[1, 3, 2], seconds=1.0)
    for variant, strength in zip(variants, (0.3, 2.0, 6.0), strict=True):
        make_variant(root, variant, rows, strength)
    evaluate = Evaluate(
        pool="eval",
        paragraphs="mean",
        unit="segment",
        ks=KS,
        genres=[],
        min_slice_films=5,
        bootstrap_samples=500,
        seed=0,
        zero_shot=None,
    )
    compare = Compare(
        metric="mrr",
        permutations=2000,
        films=12,
        excerpt_seconds=0.5,
        excerpt_bit_rate=32000,
        max_audio_bytes=1_000_000,
    )
    return SimpleNamespace(root=root, variants=variants, rows=rows, evaluate=evaluate, compare=compare)
