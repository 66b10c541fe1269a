"""`python -m pipeline queue`: check the parameters of experiments, and queue them with DVC."""

from pathlib import Path
from typing import Any

from pipeline.apps.experiments import enqueue


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    parser = commands.add_parser(
        "queue",
        help="check the parameters of experiments, then queue them with DVC",
        description="Check every combination of the values, then run `dvc exp run --queue` with the same options; "
        "`dvc queue start -j 2` runs the queued experiments.",
    )
    more = "as for `dvc exp run`; KEY=A,B queues an experiment for each value"
    parser.add_argument("-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help=more)
    parser.add_argument("targets", nargs="*", metavar="STAGE", help="stages to run (default: all)")
    parser.set_defaults(run=lambda options: enqueue(Path(), options.set_param, options.targets))
