"""Work for the nodes of the test cluster, importable by their processes."""

import os
import sys
import time
from pathlib import Path

import numpy as np


def square(number):
    return number * number, os.getpid()


def fails_at_three(number):
    if number == 3:
        raise ValueError("three")
    return number


def dies_at_three(folder, number):
    if number == 3:
        with (Path(folder) / "deaths").open("a") as file:
            file.write("x")
        os._exit(1)
    return number


def minus(number):
    return -number


def slow(number):
    time.sleep(0.2)
    return number


def large(number):
    return np.full(2_000_000, number)  # 16 MB


def load():
    return {"process": os.getpid(), "factor": 10}


def no_model():
    raise ValueError("no such model")


def process_of(model):
    return model["process"]


def times(resident, number):
    time.sleep(0.1 * (number % 2))
    with resident.turn:
        return resident.model["factor"] * number, resident.model["process"]


def dies_once(folder, resident, number):
    mark = Path(folder) / "died"
    if number == 4 and not mark.exists():
        mark.touch()
        os._exit(1)
    return resident.model["factor"] * number


if __name__ == "__main__":
    print(f"told by {__name__} with {sys.argv[1]}")
    if sys.argv[1] == "raise":
        raise ValueError("raised")
    sys.exit(int(sys.argv[1]))
