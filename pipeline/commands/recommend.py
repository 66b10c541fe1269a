"""`python -m pipeline recommend`: find music for a film; print a table, JSON, CSV or a playlist."""

import argparse
import atexit
import gc
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.commands.index import PUBLISHED, ZERO_SHOT, require_library
from pipeline.core.errors import ModelError
from pipeline.core.output import write_output

if TYPE_CHECKING:
    from pipeline.apps.recommend.index import TrackIndex
    from pipeline.apps.recommend.recommender import Answer, Recommender, Request
    from pipeline.params import Params

STANDARD = "-"  # instead of a file name: standard output
FILTERS = {  # metavar and help by option, named as in `pipeline.apps.recommend.filters`
    "length": ("FROM-TO", "length of the recording, e.g. 1:00-3:00, or 90.. (seconds)"),
    "tempo": ("FROM-TO", "beats per minute, e.g. 60-90, 120.. or ..90"),
    "loudness": ("FROM..TO", "LUFS, e.g. --loudness=-30..-14 (a negative value needs the =)"),
    "year": ("FROM-TO", "year of the film or album, e.g. 1920-1929 or 1927"),
    "key": ("KEYS", 'any of these keys, e.g. "C minor, Bb" or minor'),
    "music": ("TAGS", 'all of these tags, as detected by the music encoder, e.g. "strings, slow"'),
}
ALLOCATIONS = 200_000  # container allocations between two collections; Python's default is 700


def register(commands: Any) -> None:
    """Add the command to the subparsers `commands`."""
    command = commands.add_parser(
        "recommend",
        help="find music for a film by its plot, tags or image",
        description="Find tracks that fit a film's plot, tags and image, or that are similar to given tracks.",
    )
    add = command.add_argument
    add("--plot", metavar="FILE", help="the synopsis, a UTF-8 text file; - reads standard input")
    add("--tags", metavar="TEXT", help='e.g. "noir, 1950s, revenge"')
    add("--image", metavar="FILE", type=Path, help="a poster or a still: JPEG, PNG, GIF or WebP")
    add("-k", metavar="N", type=int, default=20, help="number of tracks (default: %(default)s)")
    models = command.add_mutually_exclusive_group()
    models.add_argument(
        "--variant",
        metavar="NAME",
        help="the model (default: the best-ranking one that can use the given inputs)",
    )
    models.add_argument("--model", metavar="MODEL", help=PUBLISHED)
    models.add_argument("--zero-shot", metavar="MODEL", help=f"{ZERO_SHOT}; requires --library")
    add("--library", metavar="FOLDER|INDEX", type=Path, help="a folder of your own music, or the index of one")
    add("--like", metavar="TRACK", action="append", default=[], help="more of this: a path, AAA/0, or any audio file")
    add("--exclude-film", metavar="FILM", action="append", default=[], help="leave out a film or album, by id or title")
    add("--per-film", metavar="N", type=int, help="at most N tracks per film or album")
    add("--why", action="store_true", help="show the passages that each track matches, and its rank without each part")
    _add_steering(command)
    _add_filters(command)
    output = command.add_mutually_exclusive_group()
    for name, what in {"json": "JSON", "csv": "CSV", "m3u": "a playlist"}.items():
        output.add_argument(f"--{name}", metavar="FILE", nargs="?", const=STANDARD, help=f"print {what}, or write FILE")
    command.set_defaults(run=run)


def _add_steering(command: argparse.ArgumentParser) -> None:
    steering = command.add_argument_group("steering")
    steering.add_argument(
        "--weight",
        metavar="PART=W",
        action="append",
        default=[],
        type=_weight,
        help="weight of tags, plot or image, from 0 to 2 (default: 1), e.g. tags=0.5; repeatable",
    )
    steering.add_argument(
        "--less", metavar="TRACK", action="append", default=[], help="less of this: a path, or AAA/0; requires a query"
    )


def _add_filters(command: argparse.ArgumentParser) -> None:
    filters = command.add_argument_group(
        "filters", "Filters apply before ranking. Tracks whose value is unknown do not pass."
    )
    for name, (metavar, what) in FILTERS.items():
        filters.add_argument(f"--{name}", metavar=metavar, help=what)
    sung = filters.add_mutually_exclusive_group()
    sung.add_argument("--vocal", dest="vocals", action="store_const", const="vocal", help="with singing")
    sung.add_argument("--instrumental", dest="vocals", action="store_const", const="instrumental", help="no singing")


def _weight(text: str) -> tuple[str, float]:
    part, _, weight = text.partition("=")
    try:
        return part.strip(), float(weight)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected PART=WEIGHT, e.g. tags=0.5") from None


def run(options: argparse.Namespace) -> int:
    """Answer one query."""
    with _few_collections():
        return _run(options)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage rarely in the block, and never at exit: with the modules imported here it takes seconds."""
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS, *before[1:])
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _run(options: argparse.Namespace) -> int:
    from pipeline.apps.recommend.filters import NAMES, parse_filters
    from pipeline.apps.recommend.given import check_disliked, check_liked, read_image, read_plot

    filters = parse_filters({name: getattr(options, name) for name in NAMES})
    plot = None if options.plot is None else read_plot(options.plot)
    image = None if options.image is None else read_image(options.image)
    tables = _tables(options)
    check_liked(options.like, tables)
    check_disliked(options.less, tables)

    from pipeline.apps.recommend.query import Query
    from pipeline.apps.recommend.recommender import Request

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    recommender, name = _opened(options)
    request = Request(
        Query(None, options.tags, plot, image),
        k=options.k,
        variant=options.variant,
        exclude=tuple(options.exclude_film),
        per_film=options.per_film,
        why=options.why,
        library=name,
        weights=dict(options.weight),
        filters=filters,
    )
    if options.like or options.less:
        request = _with_tracks(recommender, request, options.like, options.less)
    answer = recommender.recommend(request)
    folder = recommender.libraries[request.library].folder
    _write(answer, request, folder, options)
    return 0


def _tables(options: argparse.Namespace) -> list[Path]:
    """Return the index files of the searched library that are known before it is opened."""
    if options.library is not None:
        return sorted(options.library.glob("tracks/*.parquet"))
    return [] if options.model else sorted(Path("models").glob("published/tracks.parquet"))


def _opened(options: argparse.Namespace) -> tuple["Recommender", str]:
    """Return the recommender and the name of the library to search."""
    from pipeline.apps.recommend.libraries import FILMS
    from pipeline.apps.recommend.recommender import open_recommender

    require_library(options.zero_shot, options.library)
    published = None
    if options.model is not None:
        from pipeline.apps.published.load import open_published

        if options.m3u is not None and options.library is None:
            raise ModelError("--m3u: a published model has no audio; add --library FOLDER to search your own music")
        recommender = open_published(options.model, "auto")
        (published,) = recommender.trained.values()
    else:
        recommender = open_recommender(Path(), _params(), options.zero_shot)
    if options.library is None:
        return recommender, FILMS
    from pipeline.apps.library.opening import add_libraries

    (name,) = add_libraries(recommender, Path(), _params(), [options.library], published)
    return recommender, name


def _params() -> "Params":
    from pipeline.params import load_params

    return load_params(Path("params.yaml"))


def _with_tracks(
    recommender: "Recommender", request: "Request", liked: Sequence[str], disliked: Sequence[str]
) -> "Request":
    """Return `request` with the named tracks: tracks of the library, or, for `liked`, any audio file."""
    from dataclasses import replace

    from pipeline.apps.recommend.given import not_disliked, not_liked

    model, _ = recommender.model_for(request.query, request.variant)
    index = recommender.opened(request.library, model).index
    folder = recommender.libraries[request.library].folder
    rows, sounds = [], []
    less = []
    for name in disliked:
        found = _named(index, folder, name)
        if not found:
            raise not_disliked(name)
        less += found
    for name in liked:
        found = _named(index, folder, name)
        if not found and not Path(name).is_file():
            raise not_liked(name)
        rows += found
        if not found:
            from pipeline.apps.library.embed import embed_file

            sounds.append(embed_file(Path(name), model, _params(), recommender.device))
    return replace(request, like=tuple(rows), sounds=tuple(sounds), less=tuple(less))


def _named(index: "TrackIndex", folder: Path, name: str) -> list[int]:
    """Return the rows of the named track, or of all segments of the named file; empty if there is none."""
    path = Path(name)
    inside = path.resolve().is_relative_to(folder.resolve())
    below = path.resolve().relative_to(folder.resolve()).as_posix() if inside else name
    return index.find(below) or index.find(name)


def _write(answer: "Answer", request: "Request", folder: Path, options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from pipeline.apps.recommend.formats import as_csv, as_json, as_m3u
    from pipeline.apps.recommend.terminal import model_message, print_table, shown

    chosen = next((name for name in ("json", "csv", "m3u") if getattr(options, name)), None)
    if chosen is None:
        print_table(answer, folder)
        return
    print(model_message(answer), file=sys.stderr)

    def near(track: dict[str, Any]) -> str:
        return shown(folder / track["path"])

    def absolute(track: dict[str, Any]) -> str:
        path = (folder / track["path"]).resolve()
        return str(path) if str(path).isprintable() else path.as_uri()

    about = {
        "variant": answer.model.name,
        "chosen": answer.chosen,
        "unused": list(answer.unused),
        "library": request.library,
        "filtered": None if answer.filtered is None else asdict(answer.filtered),
    }
    if chosen == "json":
        text = as_json(about, answer.tracks, near)
    else:
        text = as_csv(answer.tracks, near) if chosen == "csv" else as_m3u(answer.tracks, absolute)
    target = getattr(options, chosen)
    if target == STANDARD:
        print(text, end="")
    else:
        write_output(f"--{chosen}", Path(target), text.encode())
        print(f"{len(answer.tracks)} tracks: {target}", file=sys.stderr)
