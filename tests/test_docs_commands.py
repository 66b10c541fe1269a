"""Each command in README, CONTRIBUTING and docs/ exists with its options; a small repository runs most of them."""

import argparse
import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import COMMANDS
from pipeline.__main__ import main as run_pipeline
from pipeline.core.fields import load_sections
from stages import train
from tests.documented import ROOT, Block, Command, blocks, commands, commands_of, mentioned
from tests.small_repository import Repository

NOT_RUN = {  # by prefix: why only the options of these commands are checked
    "make": "minutes, an installation or a server",
    "python -m pipeline doctor": "queries the web",
    "python -m pipeline corpus": "queries the web",
    "python -m pipeline repro": "minutes",
    "python -m pipeline train": "minutes",
    "python -m pipeline queue -S variant=Im,Ta,Plo": "variants that the small repository lacks",
    "python -m pipeline queue -S variant=Ta,ImTa": "variants that the small repository lacks",
    "python -m pipeline serve": "a server",
    "python -m pipeline index ~/Music --out my-library --model": "the Hugging Face hub",
    "python -m pipeline index ~/Music --out my-library --zero-shot": "the Hugging Face hub",
    "python -m pipeline recommend --library my-library --zero-shot": "the Hugging Face hub",
    "soundtrack recommend --model hf://": "the Hugging Face hub",
    "python -m pipeline push-model": "the Hugging Face hub",
    "python -m pipeline import-reference": "the Hugging Face hub, or a checkpoint",
    "python -m pipeline export-reference": "a model with the paper's towers",
    "python -m benchmarks": "minutes",
    "python tools/sample/oracle.py": "the whole embedded corpus",
    "dvc repro": "minutes",
    "dvc exp": "minutes, or an experiment that took them; tests/apps/test_experiments.py",
    "dvc queue": "minutes",
    "dvc checkout": "files of the copy that no run made",
    "dvc metrics diff HEAD slower": "an experiment",
    "dvc pull": "a remote; tests/test_team.py",
    "dvc push": "a remote; tests/test_team.py",
    "dvc get": "a server of git",
    "dvc import": "a server of git",
    "dvc artifacts": "a server of git",
    "torchrun": "several processes; tests/train",
    "ray": "a cluster; tests/core/cluster",
    "srun": "a cluster",
    "mlflow": "a server; tests/tracking",
    "curl": "a server",
    "hf": "the Hugging Face hub",
    "docker": "a container",
    "git": "a server of git, or a change to the history",
    "export": "shell",
    "source": "shell",
    "cd": "shell",
    "sleep": "shell",
    "head": "shell",
}


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.place)
def test_blocks_have_a_language_and_valid_syntax(block: Block) -> None:
    if block.language in ("yaml", "json"):
        assert isinstance(YAML(typ="safe").load(block.text), dict)
    elif block.language == "python":
        compile(block.text, block.place, "exec")
    else:
        assert block.language in ("sh", "console", "text")


def test_every_command_is_run_or_excused() -> None:
    found = [str(command) for command in commands()]
    assert len(found) > 100
    assert [begin for begin in NOT_RUN if not any(text.startswith(begin) for text in found)] == []


@pytest.mark.parametrize(
    "command", [*commands(), *mentioned()], ids=lambda command: f"{command.block.place} {command}"[:70]
)
def test_a_command_and_its_options_exist(command: Command) -> None:
    program, *words = command.words
    CHECKS[program](words)


def _pipeline(words: list[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    subparsers = parser.add_subparsers(required=True)
    for module in itertools.chain(*COMMANDS.values()):
        module.register(subparsers)
    options = parser.parse_args(words)
    _check_parameters(getattr(options, "set_param", []))
    _check_stages([*getattr(options, "stages", []), *getattr(options, "targets", [])])


def _python(words: list[str]) -> None:
    if words[:2] == ["-m", "pipeline"]:
        _pipeline(words[2:])
        return
    file = ROOT / (f"{words[1].replace('.', '/')}.py" if words[0] == "-m" else words[0])
    text = file.read_text(encoding="utf-8")
    assert [word for word in words[1:] if word.startswith("--") and f'"{word}"' not in text] == []


def _dvc(words: list[str]) -> None:
    from dvc.cli.parser import get_main_parser

    options = get_main_parser().parse_args(words)
    _check_parameters(getattr(options, "set_param", None) or [])
    if options.cmd in ("repro", "exp run"):
        _check_stages(options.targets or [])


def _check_parameters(changes: list[str]) -> None:
    """Check that the keys in `-S KEY=VALUE` are in params.yaml; for a new key (`+`), its section."""
    params = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for change in changes:
        names = change.partition("=")[0].split(".")
        if names[0].startswith("+"):
            names = [names[0][1:], *names[1:-1]]
        section = params
        for name in names:
            section = section[name]


def _check_stages(targets: list[str]) -> None:
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert [target for target in targets if target.partition("@")[0] not in stages] == []


def _torchrun(words: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    options = get_args_parser().parse_args(words)
    assert options.module
    _python(["-m", options.training_script, *options.training_script_args])


def _ray(words: list[str]) -> None:
    from ray.scripts.scripts import cli

    _click(cli, words)


def _srun(words: list[str]) -> None:
    _ray(words[words.index("ray") + 1 :])


def _mlflow(words: list[str]) -> None:
    from mlflow.cli import cli

    _click(cli, words)


def _hf(words: list[str]) -> None:
    from huggingface_hub.cli.hf import app

    _click(app, words)


def _click(command: Any, words: list[str]) -> None:
    """Parse `words` with click, or typer's copy of click, which raises for an unknown option."""
    context = command.make_context(command.name, words)
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(command.name, words, parent=context)
    assert context.args == []


def _make(words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [word for word in words if not re.search(rf"^{word}:", text, re.MULTILINE)] == []


def _known(words: list[str]) -> None:
    """Accept words that no parser here checks."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "python": _python,
    "soundtrack": _pipeline,
    "dvc": _dvc,
    "torchrun": _torchrun,
    "ray": _ray,
    "srun": _srun,
    "mlflow": _mlflow,
    "hf": _hf,
    "make": _make,
    **dict.fromkeys(("git", "curl", "docker", "export", "source", "cd", "sleep", "head", "head=$(scontrol"), _known),
}


def _reason(command: Command) -> str | None:
    return next((reason for begin, reason in NOT_RUN.items() if str(command).startswith(begin)), None)


RUN = {  # the commands that are run, by block
    block: [command for command in commands_of(block) if _reason(command) is None]
    for block in blocks()
    if any(_reason(command) is None for command in commands_of(block))
}
PYTHON = [block for block in blocks() if block.language == "python" and "hf://" not in block.text]
SHORT = 4  # compared words at the start of a shown line
TAGS = "  Ta: {inputs: [tags], method: linear}\n"  # a model that reads only tags, fitted in a second


@pytest.fixture(scope="module")
def repository(small_repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy of the small repository with the files named in the documentation, and a model that reads only tags."""
    folder = tmp_path_factory.mktemp("documented") / "repository"
    shutil.copytree(small_repository.folder, folder, symlinks=True)
    shutil.copytree(ROOT / "presets", folder / "presets")
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("variants:\n", f"variants:\n{TAGS}", 1))
    train.main(folder, "Ta", *load_sections(params, train.SECTIONS))
    recordings = sorted((folder / "data/audio").rglob("*.mp3"))
    shutil.copy(recordings[0], folder / "reference.mp3")
    shutil.copy(folder / "data/image/AAA.jpg", folder / "poster.jpg")
    (folder / "synopsis.txt").write_text("A detective follows a woman. She has been paid to ruin him.")
    (folder.parent / "Music/Album").mkdir(parents=True)
    for recording in recordings[:2]:
        shutil.copy(recording, folder.parent / "Music/Album" / f"{recording.parent.name}{recording.name}")
    return Repository(folder)


@pytest.fixture
def here(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The copy as the working directory; changes to settings and results are reverted afterwards."""
    monkeypatch.chdir(repository.folder)
    monkeypatch.setenv("HOME", str(repository.folder.parent))
    kept = {path: path.read_bytes() for path in map(Path, ("params.yaml", ".dvc/config", "metrics/retrieval.json"))}
    yield repository.folder
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_commands_print_what_is_shown(
    block: Block, here: Path, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    if " diff" in block.text:
        _change_results(here)
    for command in RUN[block]:
        program, *words = command.words
        if program == "dvc":
            done = repository.run(program, *words)
            status, printed = done.returncode, done.stdout
        else:
            words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in words[2:]]
            status, printed = run_pipeline(words), "\n".join(capsys.readouterr())
        fails = [line for line in command.output if line.startswith("ERROR")]
        assert bool(status) == bool(fails), f"{command}\n{printed}"
        _check_shape(command.output, printed)


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.place)
def test_python_prints_what_is_shown(
    block: Block, here: Path, path_of_imports: None, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(block.text, block.place, "exec"), {"pandas": pandas, "duckdb": duckdb})
    if "print(" in block.text:
        shown = blocks()[blocks().index(block) + 1].text
        assert shown.split("\n")[0].split() == capsys.readouterr().out.split("\n")[0].split()


def _change_results(folder: Path) -> None:
    """Publish another variant, so that DVC has a difference to show."""
    for path, old, new in (("params.yaml", "variant: All", "variant: Im"), ("metrics/retrieval.json", '"All"', '"Im"')):
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))


def _check_shape(shown: tuple[str, ...], printed: str) -> None:
    """Check that a printed line begins like the first shown one, and that the shown table has the printed columns."""
    lines = printed.splitlines()
    if shown and not shown[0].startswith("…"):
        assert _start(shown[0]) in map(_start, lines), printed
    for above, rule in itertools.pairwise(shown):
        if rule.strip() and set(rule.strip()) <= set("─"):
            assert [line for line in lines if _is_subsequence(line.split(), above.split())] != [], printed


def _start(line: str) -> list[str]:
    """Return the first words of a line, without numbers and the model's name and inputs."""
    return re.sub(r"\bM-\w+ reads [\w, ]+|\b[\d.]+\b", "#", line).split()[:SHORT]


def _is_subsequence(part: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return len(part) > 2 and all(word in rest for word in part)
