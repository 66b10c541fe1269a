"""The default text and image encoders: items a second and memory.

Texts of 5 to 250 words are encoded as the stage does, sorted by length, beside batches in the order in which they
come; pictures are of 224 × 330 px. Each way runs in a process of its own, with one thread.

    python -m benchmarks.embeddings
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.report import figure, in_own_process, peak_megabytes, publish
from pipeline.core.workers import batches
from pipeline.encoders.image import load_image_encoder
from pipeline.encoders.text import load_text_encoder
from pipeline.params import load_params

CPU = torch.device("cpu")
TEXTS, PICTURES = 600, 150
WAYS = [("text", "whole"), ("text", "as given"), ("image", "whole")]
WORDS = ["the", "a", "film", "of", "war", "love", "night", "city", "man", "woman", "returns", "away", "from", "her"]


def main() -> None:
    """Run all ways and print the figures."""
    whole, given, image = (in_own_process("benchmarks.embeddings", *way) for way in WAYS)
    publish(
        "embeddings",
        [
            figure(f"text: {whole['encoder']}", whole["rate"], "texts/s", given["rate"], "batches as they come"),
            figure("text: highest memory", whole["memory"], "MB", given["memory"], "batches as they come"),
            figure(f"image: {image['encoder']}", image["rate"], "pictures/s"),
            figure("image: highest memory", image["memory"], "MB"),
        ],
    )


def run(kind: str, way: str) -> dict[str, Any]:
    """Encode all items in one call, or batch by batch."""
    torch.set_num_threads(1)
    params = load_params(Path(__file__).parent.parent / "params.yaml")
    features, machine = params.features, params.machine
    if kind == "text":
        items: list = texts()
        encoder: Any = load_text_encoder(features.text, CPU, machine.text_batch_size)
        size = machine.text_batch_size
    else:
        items = pictures()
        encoder = load_image_encoder(features.image, CPU, machine.image_batch_size)
        size = machine.image_batch_size
    encoder.encode(items[:size])
    start = time.perf_counter()
    for part in batches(items, len(items) if way == "whole" else size):
        encoder.encode(part)
    seconds = time.perf_counter() - start
    return {"rate": len(items) / seconds, "memory": peak_megabytes(), "encoder": encoder.spec["encoder"]}


def texts() -> list[str]:
    """Return generated texts of various lengths."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, rng.integers(5, 250))) for _ in range(TEXTS)]


def pictures() -> list[Image.Image]:
    """Return generated pictures."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (330, 224, 3), dtype=np.uint8)) for _ in range(PICTURES)]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(json.dumps(run(*sys.argv[1:])))
