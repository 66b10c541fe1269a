"""All checks of the doctor, in the order of its table."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from pipeline.apps.doctor.corpus import asks_youtube, check_contact, check_disk, check_films, load_corpus
from pipeline.apps.doctor.encoders import check_audio_encoder, check_image_encoder, check_text_encoder
from pipeline.apps.doctor.machine import check_machine, check_packages, check_python, check_torch
from pipeline.apps.doctor.network import check_network
from pipeline.apps.doctor.report import INSTALL, Check, as_table, missing
from pipeline.apps.doctor.sound import check_cookies, check_ffmpeg, check_javascript, check_yt_dlp
from pipeline.apps.doctor.stores import check_dvc, check_mlflow
from pipeline.params import Params, load_params


def diagnose(root: Path) -> int:
    """Print the table for the repository at `root`; return 1 if `dvc repro` would fail with its parameters, else 0.

    Raises `ParamsError` if params.yaml is not valid.
    """
    params = load_params(root / "params.yaml")
    console = Console(highlight=False)
    with console.status("checking …"):
        checks = list(examine(root, params))
    console.print(as_table(checks, console.width))
    lacking = [check.what for check in checks if check.state == "missing"]
    if lacking:
        console.print(f"`dvc repro` would fail: fix {', '.join(lacking)}", style="bold red")
        return 1
    warned = [check.what for check in checks if check.state == "warning"]
    console.print("`dvc repro` can run" + (f"; warnings: {', '.join(warned)}" if warned else ""), style="bold green")
    return 0


def examine(root: Path, params: Params) -> Iterator[Check]:
    """Yield the checks."""
    corpus, films = load_corpus(root, params.corpus)
    yield _guarded("Python", check_python)
    yield _guarded("packages", lambda: check_packages(root))
    yield _guarded("PyTorch", lambda: check_torch(params.machine.device))
    yield _guarded("audio encoder", lambda: check_audio_encoder(params.features.audio))
    yield _guarded("image encoder", lambda: check_image_encoder(params.features.image))
    yield _guarded("text encoder", lambda: check_text_encoder(params.features.text))
    yield _guarded("yt-dlp", check_yt_dlp)
    yield _guarded("JavaScript", lambda: check_javascript(asks_youtube(films)))
    yield _guarded("FFmpeg", check_ffmpeg)
    yield corpus
    yield _guarded("films", lambda: check_films(params, films))
    yield _guarded("contact", lambda: check_contact(params.corpus, films))
    yield _guarded("network", lambda: check_network(params.corpus, films))
    if params.download.cookies is not None:
        cookies = params.download.cookies
        yield _guarded("cookies", lambda: check_cookies(root, cookies))
    yield _guarded("disk", lambda: check_disk(root, params, films))
    yield _guarded("DVC", lambda: check_dvc(root))
    yield _guarded("MLflow", lambda: check_mlflow(root))
    yield _guarded("machine", check_machine)


def _guarded(what: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Exception as error:  # a broken library may raise anything, and must not hide the other lines
        found = f"the check failed: {type(error).__name__}: {error}"
        return missing(what, found, "the stages that need it", INSTALL)
