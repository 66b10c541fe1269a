"""Open the libraries of `recommend` and `serve --library`, and index music folders among them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.apps.library.indexing import update_library
from pipeline.apps.library.library import Library, index_place, is_library, open_library, read_contents
from pipeline.apps.library.progress import Report, unreported
from pipeline.apps.library.report import Summary
from pipeline.apps.library.tags import clean
from pipeline.apps.recommend.recommender import Recommender
from pipeline.apps.recommend.trained import Model, Trained
from pipeline.core.errors import ModelError
from pipeline.params import Params

INDEXED = "data/libraries"  # libraries of music folders given without a library
DIGITS = 16  # of the SHA-256 of a published model's weights, as folder name of its libraries

Update = Callable[["Source", bool, Report], Summary]  # updates a library; True: reads all files again


@dataclass(frozen=True)
class Source:
    """A value of `--library`: a music folder, or a library written by `index`."""

    name: str  # of the library
    place: Path  # folder of the library
    music: Path  # folder of the music
    variants: tuple[str, ...] | None  # models to index with; None: all
    made: dict[str, str]  # digests of the models that it has indexes for; empty if not indexed
    was_folder: bool  # whether `--library` was a music folder
    refusal: str = ""  # why it cannot be updated

    def is_made_by(self, models: Iterable[Model]) -> bool:
        """Return whether it has a current index for each of `models`."""
        return {model.name: model.digest for model in models}.items() <= self.made.items()

    def library(self) -> Library:
        """Return the searchable library; raise as `read_contents` does."""
        return replace(open_library(self.place), name=self.name)


def sources_of(
    recommender: Recommender, root: Path, paths: Sequence[Path], published: Trained | None = None
) -> dict[str, Source]:
    """Return the sources at `paths`, by unused library names; raise `ModelError` for any other path.

    A path is a library, or a music folder, whose library is below `root`, in separate places for the trained models,
    each joint encoder and each `published` model.
    """
    alone, base = recommender.zero_shot or published, root / INDEXED
    if alone is not None:
        base /= alone.digest[:DIGITS] if published else alone.name
    found: dict[str, Source] = {}
    for path in paths:
        is_made = is_library(path)
        place = path if is_made else index_place(base, path)
        if not is_made and not path.is_dir():
            raise ModelError(f"--library: {path} is neither a folder of music nor the index of one")
        contents = read_contents(place) if is_library(place) else None
        music = Path(contents.folder) if contents and is_made else path.resolve()
        called = clean(path.resolve().name) or "music"
        name, number = called, 2
        while name in found or name in recommender.libraries:
            name, number = f"{called} {number}", number + 1
        made = contents.variants if contents else {}
        variants = tuple(made) if is_made and made and alone is None else None
        refusal = ""
        if is_made and alone is not None and made.keys() - {alone.name}:
            refusal = f"it has indexes for models other than {alone.label}, which would be lost: use the music folder"
        found[name] = Source(name, place, music, variants, made, not is_made, refusal)
    return found


def updater(root: Path, params: Params, alone: Model | None = None) -> Update:
    """Return the function that updates a library with the models below `root`, or with the model `alone`."""

    def update(source: Source, rescan: bool, report: Report) -> Summary:
        return update_library(root, params, source.music, source.place, source.variants, alone, rescan, report)

    return update


def add_libraries(
    recommender: Recommender, root: Path, params: Params, paths: Sequence[Path], published: Trained | None = None
) -> list[str]:
    """Add the libraries at `paths` to the recommender, before the data set; return their names.

    Music folders are indexed first. Raises as `sources_of` and `update_library` do.
    """
    sources = sources_of(recommender, root, paths, published)
    update = updater(root, params, recommender.zero_shot or published)
    for source in sources.values():
        if source.was_folder:
            update(source, False, unreported)
    put_libraries(recommender, sources)
    return list(sources)


def put_libraries(recommender: Recommender, sources: Mapping[str, Source]) -> None:
    """Add the libraries of `sources` to the recommender, in order, before all others."""
    recommender.libraries = {name: source.library() for name, source in sources.items()} | {
        name: library for name, library in recommender.libraries.items() if name not in sources
    }
