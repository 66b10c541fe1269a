"""One's own music beside the data set: what `recommend` and `serve` do with `--library`."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.apps.library.indexing import update_library
from pipeline.apps.library.library import index_place, is_library, open_library
from pipeline.apps.recommend.libraries import SearchableLibrary
from pipeline.apps.recommend.recommender import Recommender
from pipeline.apps.recommend.trained import Trained
from pipeline.core.errors import ModelError
from pipeline.params import Params

INDEXED = "data/libraries"  # what is made of folders of music that were named without one
DIGITS = 16  # of the SHA-256 of a published model's weights, that name the folder of what it makes


def add_libraries(
    recommender: Recommender, root: Path, params: Params, paths: Sequence[Path], published: Trained | None = None
) -> list[str]:
    """Add the music at `paths` to what is searched, before the data set; return the name that each has there.

    A path is what `index` made, or a folder of music, which is indexed first, by what answers: the models below `root`,
    a joint encoder, or somebody's `published` model. Raises `ModelError` for another one.
    """
    alone, base = recommender.zero_shot or published, root / INDEXED
    if alone is not None:
        base /= alone.digest[:DIGITS] if published else alone.name
    found: dict[str, SearchableLibrary] = {}
    for path in paths:
        place = path if is_library(path) else index_place(base, path)
        if place != path:
            if not path.is_dir():
                raise ModelError(f"--library: {path} is neither a folder of music nor what `index` made of one")
            update_library(root, params, path, place, None, alone)
        library = open_library(place)
        name, number = library.name, 2
        while name in found or name in recommender.libraries:
            name, number = f"{library.name} {number}", number + 1
        found[name] = library
    recommender.libraries = found | recommender.libraries
    return list(found)
