"""One's own music beside the data set: what `recommend` and `serve` do with `--library`."""

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

INDEXED = "data/libraries"  # what is made of folders of music that were named without one
DIGITS = 16  # of the SHA-256 of a published model's weights, that name the folder of what it makes

Update = Callable[["Source", bool, Report], Summary]  # brings a library up to date; True: reads all files again


@dataclass(frozen=True)
class Source:
    """Music that `--library` names: a folder of it, or what `index` made of one."""

    name: str  # among the libraries
    place: Path  # of the library
    music: Path  # its folder
    variants: tuple[str, ...] | None  # models that it is indexed by; None: all that there are
    made: dict[str, str]  # digests of the models that it has indexes by; none where it was not indexed
    was_folder: bool  # whether the music was named, not a library
    refusal: str = ""  # why it cannot be brought up to date

    def is_made_by(self, models: Iterable[Model]) -> bool:
        """Return whether it has an index by each of `models` as they are now."""
        return {model.name: model.digest for model in models}.items() <= self.made.items()

    def library(self) -> Library:
        """Return what can be searched; raise as `read_contents` does."""
        return replace(open_library(self.place), name=self.name)


def sources_of(
    recommender: Recommender, root: Path, paths: Sequence[Path], published: Trained | None = None
) -> dict[str, Source]:
    """Return the music at `paths` by names that no library has yet; raise `ModelError` for another path.

    A path is what `index` made, or a folder of music, whose library lies below `root`: by what answers, the models
    there, a joint encoder, or somebody's `published` model.
    """
    alone, base = recommender.zero_shot or published, root / INDEXED
    if alone is not None:
        base /= alone.digest[:DIGITS] if published else alone.name
    found: dict[str, Source] = {}
    for path in paths:
        is_made = is_library(path)
        place = path if is_made else index_place(base, path)
        if not is_made and not path.is_dir():
            raise ModelError(f"--library: {path} is neither a folder of music nor what `index` made of one")
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
            refusal = f"it holds indexes by other models than {alone.label}, which would be removed: name the music"
        found[name] = Source(name, place, music, variants, made, not is_made, refusal)
    return found


def updater(root: Path, params: Params, alone: Model | None = None) -> Update:
    """Return what brings a library up to date, by the models below `root`, or by that which answers `alone`."""

    def update(source: Source, rescan: bool, report: Report) -> Summary:
        return update_library(root, params, source.music, source.place, source.variants, alone, rescan, report)

    return update


def add_libraries(
    recommender: Recommender, root: Path, params: Params, paths: Sequence[Path], published: Trained | None = None
) -> list[str]:
    """Add the music at `paths` to what is searched, before the data set; return the name that each has there.

    A folder of music is indexed first. Raises as `sources_of` and `update_library` do.
    """
    sources = sources_of(recommender, root, paths, published)
    update = updater(root, params, recommender.zero_shot or published)
    for source in sources.values():
        if source.was_folder:
            update(source, False, unreported)
    put_libraries(recommender, sources)
    return list(sources)


def put_libraries(recommender: Recommender, sources: Mapping[str, Source]) -> None:
    """Let the libraries of `sources` be searched, in their order, before all others."""
    recommender.libraries = {name: source.library() for name, source in sources.items()} | {
        name: library for name, library in recommender.libraries.items() if name not in sources
    }
