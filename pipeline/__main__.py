"""The commands beside the stages: `python -m pipeline COMMAND`, or `soundtrack COMMAND` if installed."""

import argparse
import sys
from pathlib import Path
from typing import Any

from pipeline.core.interrupt import end

try:
    from pipeline.commands import (
        corpus,
        doctor,
        export_reference,
        import_reference,
        index,
        leaderboard,
        preset,
        push_model,
        queue,
        recommend,
        repro,
        serve,
        sync_mlflow,
        train,
        ui,
    )
    from pipeline.core.errors import PipelineError
    from pipeline.core.output import standard_output
except KeyboardInterrupt:
    end("stopped")
except ModuleNotFoundError as error:  # before `doctor` could report it
    sys.exit(
        f"ERROR: {error.name} is not installed for {sys.executable}: activate the environment "
        "(`source .venv/bin/activate`), or run `make run`"
    )

DISTRIBUTION = "soundtrack-retrieval"
COMMANDS = {  # by the groups of the help, in its order
    "setup and corpus": (doctor, preset, corpus),
    "experiments": (repro, train, queue, leaderboard, sync_mlflow, ui),
    "recommend": (recommend, index, serve),
    "models": (import_reference, export_reference, push_model),
}

RESUMED = ("repro", "train", "index")  # after Ctrl-C, by the same command
USAGE = 2  # exit status of argparse for a wrong command line

EXTRAS = {  # of pyproject.toml, and the modules that each installs
    "serve": ("fastapi", "starlette", "uvicorn", "anyio", "multipart", "python_multipart", "fastapi_swagger", "faiss"),
    "ray": ("ray",),
    "pipeline": (
        *("torchaudio", "requests", "urllib3", "bs4", "lxml", "yt_dlp"),
        *("dvc", "hydra", "mlflow", "sqlalchemy", "matplotlib"),
    ),
}


class _Group:
    """The subparsers of one group, with one line of help per command: argparse cannot group commands itself."""

    def __init__(self, subparsers: Any) -> None:
        self.lines: list[str] = []
        self._subparsers = subparsers

    def add_parser(self, name: str, help: str | None = None, **options: Any) -> argparse.ArgumentParser:
        """Add the parser of command `name`; without `help` it is not listed."""
        if help is not None:
            self.lines.append(f"  {name:<16}  {help}")
        parser: argparse.ArgumentParser = self._subparsers.add_parser(name, **options)
        return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command in `arguments` (default: the command line) and return its exit status."""
    program = "soundtrack" if Path(sys.argv[0]).stem == "soundtrack" else "python -m pipeline"
    parser = argparse.ArgumentParser(
        prog=program,
        description="Find the music that fits a film.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command", help="see below")
    listing = []
    for group, commands in COMMANDS.items():
        entries = _Group(subparsers)
        for command in commands:
            command.register(entries)
        listing += [f"{group}:", *entries.lines, ""]
    parser.epilog = "\n".join([*listing, f"`{program} COMMAND --help` shows the options of a command."])
    options = argparse.Namespace(command="")
    try:
        with standard_output():
            parser.parse_args(arguments, options)
            if not options.command:
                parser.print_help()
                return USAGE
            status: int = options.run(options)
    except KeyboardInterrupt:
        end("stopped; the same command resumes" if options.command in RESUMED else "stopped")
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"ERROR: {_lacking(error, options.command)}", file=sys.stderr)
        return 1
    return status


def _lacking(error: ModuleNotFoundError, command: str) -> str:
    """Return the message for a missing module, with the extra that installs it; raise `error` if none does."""
    name = str(error.name)
    extra = next((extra for extra, modules in EXTRAS.items() if name.partition(".")[0] in modules), None)
    if extra is None:
        raise error
    return (
        f"`{command}` needs {name}, which is not installed: run `pip install '{DISTRIBUTION}[{extra}]'`, or in the "
        "repository `make run`"
    )


if __name__ == "__main__":
    sys.exit(main())
