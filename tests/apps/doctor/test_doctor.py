"""The doctor on a complete repository, and on incomplete ones."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from collections import namedtuple
from pathlib import Path
from string import ascii_uppercase

import pytest
import torch

from pipeline.__main__ import main
from pipeline.apps.doctor.machine import check_packages
from pipeline.apps.doctor.stores import check_dvc

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
LINES = [
    "Python", "packages", "PyTorch", "audio encoder", "image encoder", "text encoder", "yt-dlp", "JavaScript", "FFmpeg",
    "corpus", "films", "contact", "network", "disk", "DVC", "MLflow", "machine",
]  # fmt: skip
FILM = {
    "wikipedia": "https://en.wikipedia.org/wiki/Fog",
    "soundtrack": ["https://youtu.be/BaW_jenozKc"],
    "title": "Fog",
}
FILMS = {f"AA{letter}": FILM for letter in ascii_uppercase[:10]}


@pytest.fixture
def corpus(root, change):
    """Return a function that configures a corpus on the real web."""

    def write(text):
        (root / "data/web").mkdir()
        (root / "data/web/meta.json").write_text(text if isinstance(text, str) else json.dumps(text))
        change(corpus={"folder": "data/web", "serve": None})

    return write


def test_nothing_is_missing(doctor):
    status, rows, out = doctor()
    assert status == 0
    assert {name: row[0] for name, row in rows.items() if name in LINES} == dict.fromkeys(LINES, "ok")
    assert [name for name in rows if name in LINES] == LINES
    assert out.rstrip().endswith("`dvc repro` can run")
    assert "108 films" in rows["corpus"][1]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_narrow_terminals_lose_no_word(doctor, corpus, monkeypatch, width):
    corpus(FILMS)
    monkeypatch.setenv("COLUMNS", str(width))
    _, _, out = doctor()
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    words = set(out.replace("`", " ").split())
    assert {"SOUNDTRACK_CONTACT,", "missing", "deno", "corpus.contact"} <= words


def test_long_names_are_broken_and_not_cut(doctor, change, monkeypatch):
    name = "data/" + "unbroken" * 20
    change(corpus={"folder": name})
    monkeypatch.setenv("COLUMNS", "80")
    status, _, out = doctor()
    assert status == 1
    assert name in "".join(out.split())


@pytest.mark.parametrize(("count", "state", "found"), [(3, "missing", "at least 5"), (10, "warning", "3 test films")])
def test_small_corpora(doctor, corpus, count, state, found):
    corpus(dict(list(FILMS.items())[:count]))
    _, rows, _ = doctor()
    assert rows["films"][0] == state and found in rows["films"][1]


def test_wikipedia_needs_a_contact(doctor, corpus, monkeypatch):
    corpus(FILMS)
    status, rows, out = doctor()
    assert status == 1
    assert rows["contact"][0] == "missing"
    assert "SOUNDTRACK_CONTACT" in rows["contact"][-1]
    assert out.rstrip().endswith("`dvc repro` would fail: fix contact")
    monkeypatch.setenv("SOUNDTRACK_CONTACT", "ann@example.org")
    status, rows, out = doctor()
    assert (status, rows["contact"]) == (0, ["ok", "set by SOUNDTRACK_CONTACT"])
    assert "ann@" not in out


def test_invalid_contact(doctor, change):
    change(corpus={"contact": "me"})
    status, rows, _ = doctor()
    assert (status, rows["contact"][0]) == (1, "missing")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "is not JSON"),
        ('{"AAA": {"wikipedia": 5}, "aab": {}}', "(and 1 more)"),
        ('{"AAA": {"wikipedia": "{origin}/wiki/Fog", "soundtrack": []}}', "corpus.serve is null"),
    ],
)
def test_broken_corpus(doctor, corpus, text, found):
    corpus(text)
    status, rows, _ = doctor()
    assert status == 1
    assert rows["corpus"][0] == "missing"
    assert found in rows["corpus"][1]
    assert rows["disk"][0] == rows["contact"][0] == "warning"  # unknown
    assert set(LINES) <= rows.keys()


def test_site_that_is_not_there(doctor, change):
    change(corpus={"serve": "nowhere"})
    status, rows, _ = doctor()
    assert (status, rows["corpus"][0]) == (1, "missing")


@pytest.mark.parametrize(("share", "state"), [(0.9, "missing"), (1.5, "warning"), (2.5, "ok")])
def test_room_on_the_disk(doctor, monkeypatch, params, share, state):
    from pipeline.apps.doctor.corpus import needed_bytes
    from pipeline.corpus import load_films

    films = load_films(Path("data/sample"), params.corpus.search)
    usage = namedtuple("usage", "total used free")
    needed = needed_bytes(Path(), params, films)
    assert 0.1e9 < needed < 1e9  # the embedded corpus took 190 MB
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1e12, 0, int(share * needed)))
    status, rows, _ = doctor()
    assert (status, rows["disk"][0]) == (int(state == "missing"), state)


def test_what_is_already_downloaded_needs_no_space(root, params):
    from pipeline.apps.doctor.corpus import check_disk
    from pipeline.corpus import Film

    films = [Film(f"AA{letter}", "https://en.wikipedia.org/wiki/A", ("ytsearch1:a",)) for letter in "ABCDEF"]
    before = check_disk(root, params, films).found
    (root / "data/downloads/AAA").mkdir(parents=True)
    with (root / "data/downloads/AAA/000.webm").open("wb") as file:
        file.truncate(10**12)
    assert check_disk(root, params, films).found.endswith("about 0.0 GB needed")
    assert not before.endswith("about 0.0 GB needed")


def test_cuda_is_not_available(doctor, change, monkeypatch):
    change(machine={"device": "cuda"})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, rows, _ = doctor()
    assert (status, rows["PyTorch"][0]) == (1, "missing")
    assert "machine.device" in rows["PyTorch"][-1]


@pytest.mark.parametrize(
    "soundtrack", ["https://youtu.be/BaW_jenozKc", "ytsearch1:Fog 1926", "https://example.org/a.mp3"]
)
def test_without_a_javascript_runtime(doctor, corpus, monkeypatch, tmp_path, soundtrack):
    corpus({fid: film | {"soundtrack": [soundtrack]} for fid, film in FILMS.items()})
    monkeypatch.setenv("SOUNDTRACK_CONTACT", "ann@example.org")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))  # where yt-dlp looks first
    bins = tmp_path / "bin"
    bins.mkdir()
    for name in ("python", "dvc", "git"):
        (bins / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(bins))
    monkeypatch.setattr(sys, "executable", str(bins / "python"))
    status, rows, _ = doctor()
    assert (status, rows["JavaScript"][:2]) == (0, ["warning", "no runtime"])
    asks = "example.org" not in soundtrack
    assert rows["JavaScript"][2].startswith("many YouTube videos" if asks else "nothing: this corpus")


def test_cookies_are_looked_at_when_named(doctor, root, change):
    change(download={"cookies": "cookies.txt"})
    status, rows, _ = doctor()
    assert (status, rows["cookies"][0]) == (1, "missing")
    entry = "\t".join((".example.org", "TRUE", "/", "FALSE", "4102444800", "session", "hush"))
    (root / "cookies.txt").write_text(f"# Netscape HTTP Cookie File\n{entry}\n")
    status, rows, out = doctor()
    assert (status, rows["cookies"][0]) == (0, "ok")
    assert "hush" not in out and "sh@" not in out


def test_packages_against_requirements(tmp_path):
    (tmp_path / "requirements.txt").write_text("numpy==0.0.1  # old\n# a note\nno-such-package==1.0\n")
    (tmp_path / "requirements-weights.txt").write_text("another-one==1.0\n")
    check = check_packages(tmp_path)
    assert (check.state, check.found) == ("missing", "no-such-package, another-one not installed")
    (tmp_path / "requirements-weights.txt").write_text("")
    (tmp_path / "requirements.txt").write_text("numpy==0.0.1\n")
    check = check_packages(tmp_path)
    assert check.state == "warning"
    assert check.found.endswith("instead of 0.0.1")


@pytest.mark.parametrize(
    ("version", "state"), [("2026.07.03", "warning"), ("2026.07.04", "ok"), ("2026.10.26.1", "ok")]
)
def test_floor_of_yt_dlp(doctor, monkeypatch, version, state):
    import yt_dlp.version

    monkeypatch.setattr(yt_dlp.version, "__version__", version)
    assert doctor()[1]["yt-dlp"][0] == state


def test_missing_codec(doctor, monkeypatch):
    monkeypatch.setattr("pipeline.apps.doctor.sound.ENCODERS", ("flac", "libnone"))
    status, rows, _ = doctor()
    assert (status, rows["FFmpeg"][0]) == (1, "missing")
    assert "encoder libnone" in rows["FFmpeg"][1]


@pytest.mark.parametrize(("remove", "found"), [(".dvc", "no .dvc folder"), (".git", "not a Git repository")])
def test_what_dvc_needs(doctor, root, remove, found):
    shutil.rmtree(root / remove)
    status, rows, _ = doctor()
    assert (status, rows["DVC"][0]) == (1, "missing")
    assert found in rows["DVC"][1]


def test_dvc_lock_left_empty(root):
    (root / "dvc.lock").touch()
    check = check_dvc(root)
    assert check.state == "missing" and "git checkout dvc.lock" in check.remedy


def test_an_inactive_environment_is_a_warning(doctor, monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    status, rows, out = doctor()
    assert (status, rows["DVC"][0], rows["Python"][0]) == (0, "warning", "warning")
    assert "source .venv/bin/activate" in rows["Python"][-1]
    assert out.rstrip().endswith("`dvc repro` can run; warnings: Python, DVC")


def test_mlflow_store_is_never_worse_than_a_warning(doctor, root):
    (root / "mlflow.db").write_bytes(b"no database at all, but long enough to be taken for one" * 100)
    status, rows, _ = doctor()
    assert (status, rows["MLflow"][0]) == (0, "warning")
    (root / "mlflow.db").unlink()
    with sqlite3.connect(root / "mlflow.db") as connection:
        connection.execute("CREATE TABLE runs (id)")
    assert doctor()[1]["MLflow"][0] == "ok"


@pytest.mark.parametrize(
    ("stage", "place", "state", "found"),
    [
        ("active", "{root}/mlartifacts", "ok", "readable"),
        ("active", "/elsewhere/mlartifacts", "warning", "/elsewhere"),
        ("deleted", "{root}/mlartifacts", "warning", "was deleted"),
        ("active", "s3://bucket/mlartifacts", "ok", "readable"),
    ],
)
def test_mlflow_store_of_a_moved_repository_and_a_deleted_experiment(doctor, root, stage, place, state, found):
    with sqlite3.connect(root / "mlflow.db") as connection:
        connection.execute("CREATE TABLE model_versions (name)")
        connection.execute("CREATE TABLE experiments (name, lifecycle_stage, artifact_location)")
        row = ["soundtrack-retrieval", stage, place.format(root=root)]
        connection.execute("INSERT INTO experiments VALUES (?, ?, ?)", row)
    status, rows, _ = doctor()
    assert (status, rows["MLflow"][0]) == (0, state)
    assert found in rows["MLflow"][1]
    assert state == "ok" or "sync-mlflow" in rows["MLflow"][3]


def test_path_that_dvc_cannot_copy(doctor, root, monkeypatch):
    monkeypatch.chdir(root.rename(root.with_name("what?")))
    status, rows, _ = doctor()
    assert (status, rows["DVC"][0]) == (0, "warning")
    assert "what?" in rows["DVC"][1]


def test_foreign_mlflow_store_is_named_without_its_password(doctor, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hu@sh@127.0.0.1:9/store?token=hush")
    status, rows, out = doctor()
    assert (status, rows["MLflow"][0]) == (0, "warning")
    assert "by MLFLOW_TRACKING_URI at http://127.0.0.1:9/store" in rows["MLflow"][1]
    assert "hush" not in out and "sh@" not in out


def test_broken_params(root, capsys):
    (root / "params.yaml").write_text("variant: All\n")
    assert main(["doctor"]) == 1
    assert "ERROR: params.yaml: variants: missing key" in capsys.readouterr().err


def test_a_check_that_raises_is_one_line(doctor, monkeypatch):
    def breaks():
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("pipeline.apps.doctor.diagnose.check_ffmpeg", breaks)
    status, rows, _ = doctor()
    assert (status, rows["FFmpeg"][0]) == (1, "missing")
    assert "of all things" in rows["FFmpeg"][1]


def run(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_program_itself():
    done = run("-m", "pipeline", "doctor")
    assert "PyTorch" in done.stdout, done.stderr
    assert done.stderr == ""


def test_program_without_its_own_imports():
    done = run(
        "-c", "import runpy, sys; sys.modules['ruamel'] = None; runpy.run_module('pipeline', run_name='__main__')"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: ruamel.yaml is not installed") and done.stderr.count("\n") == 1


def test_packages_that_do_not_import_are_one_line_each():
    lines = {"torch": "PyTorch", "yt_dlp": "yt-dlp", "av": "FFmpeg"}
    without = f"import runpy, sys; sys.modules |= dict.fromkeys({list(lines)}); sys.argv = ['pipeline', 'doctor']"
    done = run("-c", f"{without}; runpy.run_module('pipeline', run_name='__main__')")
    assert done.returncode == 1, done.stderr
    for line in lines.values():
        assert re.search(rf"^ {line} +missing ", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^ corpus +ok ", done.stdout, re.MULTILINE)
