"""`python -m pipeline corpus …`: add films to a list, remove films, and check it."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

SITE = "https://en.wikipedia.org"
LIMIT = 200  # films of a category, by default
OLD_NAME = "catalog"


def register(commands: Any) -> None:
    """Add the command `corpus`, and its old name, to the subparsers `commands`."""
    description = "Edit and check the list of films FOLDER/meta.json."
    _add_actions(commands.add_parser("corpus", help="edit and check the list of films", description=description))
    old = commands.add_parser(OLD_NAME, description=f"The old name of `corpus`. {description}")
    old.set_defaults(old_name=True)
    _add_actions(old)


def _add_actions(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    urls = _action(actions, "add", "add films by the URLs of their articles", "add_urls")
    urls.add_argument("urls", metavar="URL", nargs="+", help="e.g. https://en.wikipedia.org/wiki/Sherlock_Jr.")
    urls.add_argument(
        "--soundtrack",
        metavar="URL",
        action="append",
        default=[],
        help="a recording, playlist or search of the film; repeatable (default: corpus.search in params.yaml)",
    )
    file = _action(actions, "import", "add the films of a CSV, or of a file with one URL per line", "add_file")
    file.add_argument(
        "file",
        metavar="FILE",
        help="a CSV with a header: page, recordings (several separated by ; or spaces), and optionally title, year, "
        "tags, plot, image; or a text file, in which blank lines and lines that begin with # are ignored; - reads "
        "standard input",
    )
    category = _action(actions, "category", "add the films of a Wikipedia category", "add_category")
    category.add_argument("name", metavar="NAME", help='e.g. "2010s science fiction films"')
    category.add_argument(
        "--limit", type=_positive, default=LIMIT, help="maximum number of films (default: %(default)s)"
    )
    category.add_argument("--site", default=SITE, help="the wiki (default: %(default)s)")
    fids = _action(actions, "remove", "remove films from the list", "remove_films")
    fids.add_argument("fids", metavar="ID", nargs="+", help="e.g. AAB")
    _action(actions, "list", "show id, title, page and number of recordings of each film", "list_films")
    _action(
        actions,
        "check",
        "show how the list is read, its problems, and the time and disk space that fetching it takes",
        "check_list",
    )


def _action(actions: Any, name: str, help: str, run: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    parser.add_argument("--corpus", metavar="FOLDER", help="folder of the list (default: corpus.folder in params.yaml)")
    parser.set_defaults(run=partial(_run, run))
    return parser


def _run(action: str, options: argparse.Namespace) -> int:
    from pipeline.apps.corpus import actions
    from pipeline.params import load_params

    if getattr(options, "old_name", False):
        print(f"`{OLD_NAME}` is the old name of `corpus`: python -m pipeline corpus …", file=sys.stderr)
    status: int = getattr(actions, action)(options, load_params(Path("params.yaml")))
    return status


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 1 or more")
    return int(text)
