"""Everything that is not a stage: `python -m pipeline COMMAND`."""

import argparse
import sys

try:
    from pipeline.commands import (
        checkpoint,
        corpus,
        doctor,
        index,
        leaderboard,
        preset,
        queue,
        recommend,
        serve,
        sync,
        ui,
    )
    from pipeline.core.errors import PipelineError
except ModuleNotFoundError as error:  # `doctor` is what one runs when something is missing
    sys.exit(f"ERROR: {error.name} is not installed: run `make run`, or `pip install -r requirements.txt`")


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (doctor, preset, recommend, index, serve, queue, sync, leaderboard, corpus, checkpoint, ui):
        command.register(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
