"""Everything that is not a stage: `python -m pipeline COMMAND`."""

import argparse
import sys

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


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.register(subparsers)
    try:
        with standard_output():
            options = parser.parse_args(arguments)
            status: int = options.run(options)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
