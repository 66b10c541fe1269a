"""The oracle of the embedded corpus: its probabilities are those of the casting, and its casting that of the corpus."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.variants import apart
from pipeline.params import Params

ROOT = Path(__file__).parents[2]
DRAWS = 20_000
FILM = {"mood": "love", "scenes": ["love", "terror", "terror", "sorrow"], "countries": ["France"], "genres": ["war"]}


@pytest.fixture(scope="module")
def tool():
    """The modules of tools/sample, imported as the tool imports them."""
    before, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(ROOT / "tools/sample"))
    import oracle

    yield oracle
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(ROOT / "tools")):
            del sys.modules[name]


def shares(names: list[str], drawn: list[str]) -> np.ndarray:
    """Return the share of each of `names` in `drawn`."""
    counts = Counter(drawn)
    return np.array([counts[name] / len(drawn) for name in names])


def test_chances_are_those_of_the_casting(tool):
    rng = np.random.default_rng(0)
    cues = [cue for _ in range(DRAWS // 4) for cue in tool.cue_list(FILM, rng)]
    moods, bands = zip(*cues, strict=True)
    assert tool.mood_chances(FILM) == pytest.approx(shares(tool.MOODS, moods), abs=0.015)
    assert tool.band_chances("winds") == pytest.approx(shares(tool.BANDS, bands), abs=0.015)
    assert tool.band_chances("winds")[tool.BANDS.index("winds")] == pytest.approx(0.95 * 0.95 + (1 - 0.95**2) / 8)
    posters = [sys.modules["casting"].poster_mood(FILM, rng) for _ in range(DRAWS)]
    assert tool.poster_chances(FILM) == pytest.approx(shares(tool.MOODS, posters), abs=0.015)


def castings(tool, number: int, rng: np.random.Generator) -> dict:
    """Return films with random moods and countries, cast by the rules."""
    found = {}
    for film in range(number):
        mood, *scenes = rng.choice(tool.MOODS, 5).tolist()
        countries = [str(rng.choice(sorted(sys.modules["casting"].LOCAL_BANDS)))]
        record = {"mood": mood, "scenes": [mood, *scenes], "countries": countries, "genres": ["war"]}
        poster = sys.modules["casting"].poster_mood(record, rng)
        found[tool.film_id(film)] = tool.Casting(record, poster, tool.cue_list(record, rng))
    return found


@pytest.mark.parametrize("company", [False, True])
@pytest.mark.parametrize(
    ("inputs", "of_mood", "of_band"),
    [
        (["tags"], False, True),
        (["plot"], True, False),
        (["image"], True, False),
        (["tags", "plot", "image"], True, True),
    ],
)
def test_odds_follow_from_the_inputs(tool, company, inputs, of_mood, of_band):
    rng = np.random.default_rng(1)
    cast = castings(tool, 400, rng)
    odds = tool.odds_of("AAA", inputs, cast, company)
    best = np.unravel_index(np.argmax(odds), odds.shape)
    own = cast["AAA"]
    if not company:
        assert np.allclose(odds, odds[:, :1] * odds[:1, :] / odds[0, 0])
        assert np.ptp(odds, axis=0).max() < 1e-9 or of_mood
        assert np.ptp(odds, axis=1).max() < 1e-9 or of_band
    expected = own.poster if inputs == ["image"] else own.film["mood"]
    assert not of_mood or tool.MOODS[best[0]] == expected
    assert not of_band or tool.BANDS[best[1]] == sys.modules["casting"].usual_band(own.film)


def test_with_full_knowledge_the_odds_are_those_of_the_rules(tool):
    cast = castings(tool, 30, np.random.default_rng(2))
    others = [casting.film for fid, casting in cast.items() if fid != "AAC"]
    band = sys.modules["casting"].usual_band
    anyone = np.mean([np.outer(tool.mood_chances(film), tool.band_chances(band(film))) for film in others], axis=0)
    own = cast["AAC"].film
    expected = np.outer(tool.mood_chances(own), tool.band_chances(band(own))) / anyone
    assert tool.odds_of("AAC", ["tags", "plot"], cast, True) == pytest.approx(expected)
    assert tool.odds_of("AAC", ["tags", "plot", "image"], cast, True) == pytest.approx(expected)


def test_other_films_add_to_the_rules(tool):
    def film(mood: str, country: str):
        record = {"mood": mood, "scenes": [mood], "countries": [country], "genres": ["war"]}
        return tool.Casting(record, mood, [(mood, "winds")])

    cast = dict(enumerate([*[film("comic", "France")] * 5, *[film("battle", "Italy")] * 5]))
    alike = 4 / (4 + 5 * tool.UNLIKE)  # weight of films like film 0 among the others
    winds, brass = (tool.band_chances(band) for band in ("winds", "brass"))
    comic, battle = (cast[number].moods for number in (0, 9))

    def chances(inputs: list[str], company: bool) -> np.ndarray:
        anyone = (4 * np.outer(comic, winds) + 5 * np.outer(battle, brass)) / 9
        if not company:
            anyone = np.outer(4 * comic + 5 * battle, 4 * winds + 5 * brass) / 81
        return tool.odds_of(0, inputs, cast, company) * anyone

    with np.errstate(invalid="ignore"):  # moods of no film
        of_tags, of_plot = (np.nan_to_num(chances([name], True)) for name in ("tags", "plot"))
        tags_alone, plot_alone = (np.nan_to_num(chances([name], False)) for name in ("tags", "plot"))
    assert of_tags == pytest.approx(np.outer(alike * comic + (1 - alike) * battle, winds))
    assert of_plot == pytest.approx(np.outer(comic, alike * winds + (1 - alike) * brass))
    assert tags_alone == pytest.approx(np.outer((4 * comic + 5 * battle) / 9, winds))
    assert plot_alone == pytest.approx(np.outer(comic, (4 * winds + 5 * brass) / 9))


def test_more_inputs_find_more(tool, params: Params):
    cast = castings(tool, 24, np.random.default_rng(3))
    measured = replace(params.evaluate, ks=[10], genres=[], bootstrap_samples=100)
    rows, cues = rows_of(cast)
    found = {
        name: tool.figures(name, apart(params.variants[name].inputs), rows, cues, cast, measured)
        for name in ("Im", "Ta", "Plo", "ImTa", "TaPlo", "All")
    }
    recalls = {name: line["rules"]["recall_at_10"]["mean"] for name, line in found.items()}
    chance = found["All"]["chance"]["recall_at_10"]
    assert chance == pytest.approx(10 / len(rows))
    assert chance < recalls["Im"] < recalls["Plo"] < recalls["TaPlo"] == recalls["All"]
    assert recalls["Ta"] < recalls["ImTa"] < recalls["TaPlo"]
    assert found["Ta"]["rules"] != found["Ta"]["company"]
    low, high = found["All"]["rules"]["recall_at_10"]["ci95"]
    assert low < recalls["All"] < high
    assert (found["All"]["films"], found["All"]["tracks"]) == (24, 120)


def rows_of(cast: dict) -> tuple[list[dict], list[tuple[str, str]]]:
    """Return data set rows of the films' cues, and the cues."""
    rows = [
        {"fid": fid, "split": "eval", "number": n, "path": f"{fid}/{n}", "source_url": f"{fid}{n}", "title": fid}
        | {"year": 1924, "tags": "", "compared": True, "recording": f"{fid}{n}", "sound": f"{fid}{n}"}
        for fid, casting in cast.items()
        for n in range(len(casting.cues))
    ]
    return rows, [cue for casting in cast.values() for cue in casting.cues]


def test_tracks_are_found_by_their_addresses(tool):
    cast = castings(tool, 2, np.random.default_rng(4))
    rows, cues = rows_of(cast)
    meta = {fid: {"soundtrack": [f"{fid}{n}" for n in range(5)]} for fid in cast}
    assert tool.cues_of([rows[7], rows[1]], cast, meta) == [cues[7], cues[1]]
    meta["AAB"]["soundtrack"] = ["one recording"]
    with pytest.raises(ValueError, match="AAB/2 is cut from a recording of 5 cues"):
        tool.cues_of([rows[7]], cast, meta)


def test_a_film_is_drawn_as_in_the_corpus(tool, monkeypatch: pytest.MonkeyPatch):
    number, film = 3, tool.load_films()[3]
    casting = tool.retold(number, film)
    assert len(casting.cues) == len(film["scenes"]) and casting.poster in {film["mood"], *film["scenes"]}
    monkeypatch.setattr(sys.modules["pages"], "EDITION_YEAR", 1925)
    with pytest.raises(RuntimeError, match="looks different here"):
        tool.retold(number, film)
    monkeypatch.undo()
    monkeypatch.setattr(tool, "SEED", 1925)
    with pytest.raises(RuntimeError, match="looks different here"):
        tool.retold(number, film)
