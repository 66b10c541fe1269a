"""Everything that is not a stage: `python -m pipeline COMMAND`, or `soundtrack COMMAND` where it is installed."""

import argparse
import sys
from pathlib import Path

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
except ModuleNotFoundError as error:  # `doctor` is what one runs when something is missing
    sys.exit(f"ERROR: {error.name} is not installed: run `make run`, or `pip install -r requirements.txt`")

DISTRIBUTION = "soundtrack-retrieval"
COMMANDS = (  # in the order of the help
    doctor,
    preset,
    repro,
    train,
    recommend,
    index,
    serve,
    queue,
    sync_mlflow,
    leaderboard,
    corpus,
    import_reference,
    export_reference,
    push_model,
    ui,
)


EXTRAS = {  # of pyproject.toml, and the modules that each brings
    "serve": ("fastapi", "starlette", "uvicorn", "anyio", "multipart", "python_multipart", "fastapi_swagger", "faiss"),
    "ray": ("ray",),
    "pipeline": (
        *("torchaudio", "requests", "urllib3", "bs4", "lxml", "yt_dlp"),
        *("dvc", "hydra", "mlflow", "sqlalchemy", "matplotlib"),
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command, that of the command line without `arguments`, and return its exit status."""
    program = "soundtrack" if Path(sys.argv[0]).stem == "soundtrack" else "python -m pipeline"
    parser = argparse.ArgumentParser(prog=program, description="Find the music that fits a film.")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        command.register(subparsers)
    options = argparse.Namespace(command="")
    try:
        with standard_output():
            parser.parse_args(arguments, options)
            status: int = options.run(options)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"ERROR: {_lacking(error, options.command)}", file=sys.stderr)
        return 1
    return status


def _lacking(error: ModuleNotFoundError, command: str) -> str:
    """Return which extra brings the module that a command lacks; raise `error` for one that none brings."""
    name = str(error.name)
    extra = next((extra for extra, modules in EXTRAS.items() if name.partition(".")[0] in modules), None)
    if extra is None:
        raise error
    return (
        f"`{command}` needs {name}, which is not installed: pip install '{DISTRIBUTION}[{extra}]', or in the "
        "repository `make run`"
    )


if __name__ == "__main__":
    sys.exit(main())
