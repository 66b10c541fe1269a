"""A small repository of a dozen films, in which tests run the commands that users type."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from tests.dvc_forks import run_dvc

ROOT = Path(__file__).parent.parent
FILMS, RECORDINGS = 14, 3  # films, and recordings of each at most
VARIANTS = {"Im": ["image"], "All": ["tags_plot", "image"]}
SMALLER = {
    "variants": VARIANTS,
    "machine": {"processes": 1},
    "split": {"train": 0.5, "valid": 0.2, "eval": 0.3},
    "features": {"audio": {"encoder": "log-mel"}, "text": {"max_tokens": 64}},
    "train": {"epochs": 2, "threads": 1},
    "evaluate": {"bootstrap_samples": 50},
    "compare": {"films": 1},
}


LEAVING = (("exp", "run"), ("queue", "start"))  # DVC commands that may leave processes running


class Repository:
    """A repository with its own DVC cache and MLflow store."""

    first_output = ""  # output of the first run

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_folder = Path(sys.executable).parent
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_", "GIT_"))}
        self.environment = inherited | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command in the repository and return it with stdout and stderr joined.

        They go to a file, as a pipe stays open until every process left running by the command has ended. A DVC command
        that leaves none running is forked from a process that has imported DVC.
        """
        if command[0] == "dvc" and command[1:3] not in LEAVING:
            with tempfile.NamedTemporaryFile("r+") as output:
                status = run_dvc(command[1:], self.folder, self.environment, Path(output.name))
                return subprocess.CompletedProcess(command, status, output.read())
        with tempfile.TemporaryFile("w+") as output:
            streams = {"stdout": output, "stderr": subprocess.STDOUT}
            done = subprocess.run(command, cwd=self.folder, env=self.environment, text=True, check=False, **streams)
            output.seek(0)
            done.stdout = output.read()
        return done

    def succeed(self, *command: str) -> str:
        """Run a command that must succeed and return its output."""
        done = self.run(*command)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def ran(self, output: str) -> list[str]:
        """Return the stages that a command of DVC, or `python -m pipeline repro`, ran."""
        lines = re.finditer(r"^Running stage '([^']+)'|^(\S+) +\| > ", output, re.MULTILINE)
        return [line[1] or line[2] for line in lines]

    def outs(self, stage: str) -> list[dict]:
        """Return the outputs of a stage in dvc.lock."""
        return YAML(typ="safe").load((self.folder / "dvc.lock").read_text())["stages"][stage]["outs"]

    def json(self, path: str) -> dict:
        return json.loads((self.folder / path).read_text())

    def commit(self, message: str) -> None:
        self.succeed("git", "add", "-A")
        self.succeed("git", "commit", "-qm", message)


def small_corpus(folder: Path) -> None:
    """Copy the first trouble-free films of the embedded corpus, a disambiguation page and a dead link."""
    sample = ROOT / "data/sample"
    meta = json.loads((sample / "meta.json").read_text())
    chosen = dict(list(meta.items())[:FILMS])
    for fid, film in meta.items():
        page = sample / "site" / f"{film['wikipedia'].removeprefix('{origin}/').replace('%27', chr(39))}.html"
        if page.is_file() and "Disambiguation pages" in page.read_text():
            chosen[fid] = film
    for film in chosen.values():
        del film["soundtrack"][RECORDINGS:]
    chosen["AAB"]["soundtrack"].append("{origin}/audio/gone.mp3")
    shutil.copytree(sample / "site/wiki", folder / "site/wiki")
    shutil.copytree(sample / "site/media", folder / "site/media")
    (folder / "site/audio").mkdir()
    for film in chosen.values():
        for url in film["soundtrack"]:
            source = sample / url.replace("{origin}", "site")
            if source.is_file():
                shutil.copy(source, folder / "site/audio")
    (folder / "meta.json").write_text(json.dumps(chosen))


def merged(params: dict, changes: dict) -> dict:
    for key, value in changes.items():
        params[key] = merged(params[key], value) if isinstance(value, dict) and key != "variants" else value
    return params


def build(folder: Path) -> Repository:
    """Return a committed repository in `folder` in which every stage has run once.

    The stages run in parallel and share their imports: the result is that of `dvc repro`, in half the time.
    """
    for name in ("pipeline", "stages", ".dvcignore", ".gitignore", "dvc.yaml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / ".dvc/plots", folder / ".dvc/plots")
    for name in ("config", ".gitignore"):
        shutil.copy(ROOT / ".dvc" / name, folder / ".dvc" / name)
    yaml = YAML()
    params = merged(yaml.load((ROOT / "params.yaml").read_text()), SMALLER)
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    small_corpus(folder / "data/sample")
    repository = Repository(folder)
    repository.succeed("git", "init", "-q", "-b", "main")
    repository.succeed("git", "config", "user.name", "Test")
    repository.succeed("git", "config", "user.email", "test@example.org")
    repository.commit("corpus")
    repository.first_output = repository.succeed("python", "-m", "pipeline", "repro", "--parallel", "2")
    repository.commit("first run")
    return repository
