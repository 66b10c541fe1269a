"""Everything that is not a stage: `python -m pipeline COMMAND`."""

import argparse
import sys
from pathlib import Path

try:
    from pipeline import experiments, preset
    from pipeline.catalog import command as catalog
    from pipeline.checkpoint import command as checkpoint
    from pipeline.doctor.run import diagnose
    from pipeline.errors import PipelineError
    from pipeline.leaderboard import command as leaderboard
    from pipeline.library import command as library
    from pipeline.recommend import command as recommend
    from pipeline.sync import command as sync
    from pipeline.ui.serve import serve
    from pipeline.web import command as web
except ModuleNotFoundError as error:  # `doctor` is what one runs when something is missing
    sys.exit(f"ERROR: {error.name} is not installed: run `make run`, or `pip install -r requirements.txt`")


def main(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    look = commands.add_parser(
        "doctor", help="say whether what `dvc repro` needs is there, and what to do where it is not"
    )
    look.set_defaults(run=lambda options: diagnose(Path()))
    show = commands.add_parser("ui", help="open MLflow's pages on this machine")
    show.add_argument("--port", type=int, default=5000, help="port on 127.0.0.1 (default: %(default)s)")
    show.set_defaults(run=lambda options: serve(Path(), options.port))
    lay = commands.add_parser("preset", help="lay presets/NAME.yaml over params.yaml")
    lay.add_argument("name", metavar="NAME", help=f"one of {', '.join(preset.names(Path()))}")
    lay.set_defaults(run=lambda options: preset.lay(Path(), options.name))
    recommend.register(commands)
    library.register(commands)
    web.register(commands)
    experiments.register(commands)
    sync.register(commands)
    leaderboard.register(commands)
    catalog.register(commands)
    checkpoint.register(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
