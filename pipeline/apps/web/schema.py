"""What the API answers, as OpenAPI describes it."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipeline.store.index import TrackColumns

Format = Literal["csv", "m3u8", "json"]

MAX_KEPT = 1000  # tracks of a shortlist
MOST_NOTE_CHARS = 20_000
MOST_CHARS = 4000  # of another text
TRACK = {
    "rank": 1,
    "row": 348,
    "score": 0.828,
    "film": "Nosferatu",
    "year": 1922,
    "artist": "",
    "title": "Suite",
    "fid": "AAK",
    "number": 2,
    "split": "eval",
    "path": "data/audio/A/A/K/2.mp3",
    "start_seconds": 26.0,
    "file_start_seconds": 0.0,
    "seconds": 13.04,
    "recording_seconds": 86.2,
    "tempo": 92.3,
    "key": "A minor",
    "loudness": -21.4,
    "vocals": 0.08,
    "url": "https://en.wikipedia.org/wiki/Nosferatu",
    "source_url": "",
    "music_tags": "ambient, strings, slow",
    "place": 1,
    "without": {"tags": {"score": 0.819, "place": 3}, "image": {"score": 0.034, "place": 304}},
    "answers": [{"part": "tags", "text": "vampire", "drop": 0.121}],
    "audio": "/api/libraries/films/tracks/348/audio",
    "image": "/api/examples/AAK/image",
}


class Problem(BaseModel):
    """Why a request was not answered."""

    error: Annotated[str, Field(examples=["the query is empty: give a plot, tags, an image, or a track"])]


class Variant(BaseModel):
    """A trained model."""

    name: Annotated[str, Field(description="what `variant` takes", examples=["TagsImage"])]
    needs: Annotated[
        list[str], Field(description="what it reads, of tags, plot and image", examples=[["tags", "image"]])
    ]
    any_of: Annotated[bool, Field(description="whether one of them is enough", examples=[False])]
    recall_at_10: Annotated[
        float | None,
        Field(description="share of a film's own tracks among the first ten, in its evaluation", examples=[0.329]),
    ]
    hit_rate_at_10: Annotated[
        float | None,
        Field(description="share of films with a track of their own among the first ten", examples=[0.694]),
    ]
    chance_hit_rate_at_10: Annotated[
        float | None, Field(description="the same for tracks in random order", examples=[0.251])
    ]
    films: Annotated[
        int | None, Field(description="that it was evaluated on; it was trained on none of them", examples=[36])
    ]


class ChosenVariant(Variant):
    """The model that answered."""

    chosen: Annotated[
        str, Field(description="why it was this one", examples=["the one that ranks best on the evaluation films"])
    ]


class LibraryInfo(BaseModel):
    """Tracks that can be searched."""

    name: Annotated[str, Field(description="what `library` takes", examples=["films"])]
    tracks: Annotated[int | None, Field(description="how many; null until it was searched once", examples=[469])]


class KeyCount(BaseModel):
    """How many tracks are in a key."""

    key: Annotated[str, Field(examples=["C minor"])]
    tracks: Annotated[int, Field(examples=[31])]


class TagCount(BaseModel):
    """How many tracks have a tag of the music."""

    tag: Annotated[str, Field(examples=["strings"])]
    tracks: Annotated[int, Field(examples=[120])]


class VocalCount(BaseModel):
    """How many tracks are sung, and how many are not."""

    vocal: Annotated[int, Field(examples=[42])]
    instrumental: Annotated[int, Field(examples=[427])]


Bounds = tuple[float, float] | None


class FilterBounds(BaseModel):
    """Between which bounds a library's tracks lie; null, or empty, where nothing is known."""

    length: Annotated[Bounds, Field(description="seconds", examples=[[31.2, 412.0]])]
    tempo: Annotated[Bounds, Field(description="beats per minute", examples=[[58.7, 172.3]])]
    loudness: Annotated[Bounds, Field(description="LUFS", examples=[[-38.1, -9.4]])]
    year: Annotated[tuple[int, int] | None, Field(examples=[[1895, 1963]])]
    keys: Annotated[list[KeyCount], Field(description="that tracks are in")]
    vocals: VocalCount | None
    music: Annotated[list[TagCount], Field(description="tags of the music, those of most tracks first")]


class LibrarySummary(BaseModel):
    """What a library holds."""

    name: Annotated[str, Field(examples=["films"])]
    tracks: Annotated[int, Field(examples=[469])]
    hours: Annotated[float, Field(description="of its tracks, which may overlap", examples=[3.9])]
    filters: FilterBounds


class ExampleFilm(BaseModel):
    """A film of the data set that was not trained on."""

    fid: Annotated[str, Field(description="what `example` takes", examples=["AAK"])]
    title: Annotated[str, Field(examples=["Nosferatu"])]
    year: Annotated[int | None, Field(examples=[1922])]
    tags: Annotated[str, Field(examples=["1922 weimar vampire expressionist silent horror german"])]
    plot: Annotated[str, Field(examples=["A young clerk travels to a castle in the mountains."])]
    image: Annotated[str, Field(description="address of its poster", examples=["/api/examples/AAK/image"])]


class Without(BaseModel):
    """What a track would have had if a part of the query were not known."""

    score: float
    place: Annotated[int, Field(description="among all tracks that pass the filters, from 1")]


class Passage(BaseModel):
    """A sentence of the plot, or a tag, and what a track would lose if it were not in the query."""

    part: Annotated[Literal["plot", "tags"], Field(description="of the query that it is in")]
    text: Annotated[str, Field(examples=["A young clerk travels to a castle in the mountains."])]
    drop: Annotated[float, Field(description="of the score", examples=[0.094])]


class RankedTrack(BaseModel):
    """Where a track stands in an answer."""

    rank: Annotated[int, Field(description="in this answer, from 1")]
    score: Annotated[float, Field(description="cosine of the query and the track, from -1 to 1")]


class AddressedTrack(TrackColumns, json_schema_extra={"example": TRACK}):
    """A track, and where its files are."""

    row: Annotated[int, Field(description="its number in the library: what `like` takes")]
    url: Annotated[str, Field(description="of the film's article; empty where that is on the corpus's own server")]
    source_url: Annotated[str, Field(description="where the recording came from; the same")]
    audio: Annotated[str, Field(description="address of its file")]
    image: Annotated[str | None, Field(description="address of its film's poster")]


class FoundTrack(AddressedTrack, RankedTrack, json_schema_extra={"example": TRACK}):
    """A track that was found."""

    place: Annotated[
        int | None, Field(description="among all tracks that pass the filters, from 1; only with `why`")
    ] = None
    without: Annotated[
        dict[str, Without] | None,
        Field(description="score and place without each part of the query; only with `why`, and of several parts"),
    ] = None
    answers: Annotated[
        list[Passage] | None,
        Field(description="what of the query it loses most without, the greatest drop first; only with `why`"),
    ] = None


class Outline(BaseModel):
    """How loud a track's file is from its beginning to its end."""

    peaks: Annotated[
        list[int] | None,
        Field(description="largest amplitude of each of equal stretches, 255 at full scale", examples=[[3, 180, 255]]),
    ]
    seconds: Annotated[float | None, Field(description="length of the file", examples=[13.04])]


class Place(BaseModel):
    """A track by what stays when its library is indexed again."""

    library: Annotated[str, Field(description="name of its library", examples=["films"])]
    path: Annotated[str, Field(max_length=MOST_CHARS, examples=["data/audio/A/A/K/2.mp3"])]
    file_start_seconds: Annotated[float | None, Field(examples=[0.0], allow_inf_nan=False)] = None


class Places(BaseModel):
    """Tracks to look for."""

    tracks: Annotated[list[Place], Field(max_length=MAX_KEPT)]


class LookedUp(BaseModel):
    """Tracks that were looked for, in the same order."""

    tracks: Annotated[list[AddressedTrack | None], Field(description="null for one that the library does not have")]


class KeptTrack(Place):
    """A track of a shortlist; what it is called counts where its library does not have it any more."""

    note: Annotated[str, Field(max_length=MOST_NOTE_CHARS, examples=["for the chase"])] = ""
    found_for: Annotated[str, Field(max_length=2 * MOST_CHARS, examples=["Nosferatu: vampire horror"])] = ""
    title: Annotated[str, Field(max_length=MOST_CHARS)] = ""
    artist: Annotated[str, Field(max_length=MOST_CHARS)] = ""
    film: Annotated[str, Field(max_length=MOST_CHARS)] = ""


class Shortlist(BaseModel):
    """A list to be saved."""

    format: Annotated[Format, Field(description="of the file")]
    tracks: Annotated[list[KeptTrack], Field(min_length=1, max_length=MAX_KEPT)]


class Filtered(BaseModel):
    """How many tracks of the library pass the filters."""

    tracks: Annotated[int, Field(description="that pass all of them", examples=[37])]
    alone: Annotated[
        dict[str, int], Field(description="that pass each alone, by its name", examples=[{"tempo": 112, "vocals": 90}])
    ]


class SearchAnswer(BaseModel):
    """What was found."""

    model: ChosenVariant
    unused: Annotated[list[str], Field(description="what was given and the model does not read", examples=[["plot"]])]
    library: Annotated[str, Field(examples=["films"])]
    seconds: Annotated[float, Field(description="that it took", examples=[0.058])]
    filtered: Annotated[Filtered | None, Field(description="null without filters")]
    tracks: Annotated[list[FoundTrack], Field(description="the best first")]
