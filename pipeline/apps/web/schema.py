"""The API's requests and responses, as described in OpenAPI."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pipeline.store.index import TrackColumns

Format = Literal["csv", "m3u8", "json"]

MAX_KEPT = 1000  # tracks of a shortlist
MOST_NOTE_CHARS = 20_000
MOST_CHARS = 4000  # of any other text
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
    """Why a request failed."""

    error: Annotated[str, Field(examples=["the query is empty: give a plot, tags, an image, or a track"])]


class Variant(BaseModel):
    """A trained model."""

    name: Annotated[str, Field(description="the value for `variant`", examples=["TagsImage"])]
    needs: Annotated[list[str], Field(description="its inputs: of tags, plot and image", examples=[["tags", "image"]])]
    any_of: Annotated[bool, Field(description="whether any one of the inputs is enough", examples=[False])]
    recall_at_10: Annotated[
        float | None,
        Field(description="mean share of a film's own tracks in the top 10, on the test set", examples=[0.329]),
    ]
    hit_rate_at_10: Annotated[
        float | None,
        Field(description="share of films with at least one of their own tracks in the top 10", examples=[0.694]),
    ]
    chance_hit_rate_at_10: Annotated[float | None, Field(description="the same for a random ranking", examples=[0.251])]
    films: Annotated[int | None, Field(description="number of films in the test set", examples=[36])]


class ChosenVariant(Variant):
    """The model that answered."""

    chosen: Annotated[
        str,
        Field(
            description="why this model was chosen",
            examples=["of the models that fit the input, it ranks best on the test films"],
        ),
    ]


class LibraryInfo(BaseModel):
    """A library that can be searched."""

    name: Annotated[str, Field(description="the value for `library`", examples=["films"])]
    tracks: Annotated[int | None, Field(description="number of tracks; null until first searched", examples=[469])]


class KeyCount(BaseModel):
    """Number of tracks in a key."""

    key: Annotated[str, Field(examples=["C minor"])]
    tracks: Annotated[int, Field(examples=[31])]


class TagCount(BaseModel):
    """Number of tracks with a tag of the music."""

    tag: Annotated[str, Field(examples=["strings"])]
    tracks: Annotated[int, Field(examples=[120])]


class VocalCount(BaseModel):
    """Number of tracks with and without singing."""

    vocal: Annotated[int, Field(examples=[42])]
    instrumental: Annotated[int, Field(examples=[427])]


Bounds = tuple[float, float] | None


class FilterBounds(BaseModel):
    """Least and greatest values of a library's tracks; null or empty if unknown."""

    length: Annotated[Bounds, Field(description="seconds", examples=[[31.2, 412.0]])]
    tempo: Annotated[Bounds, Field(description="beats per minute", examples=[[58.7, 172.3]])]
    loudness: Annotated[Bounds, Field(description="LUFS", examples=[[-38.1, -9.4]])]
    year: Annotated[tuple[int, int] | None, Field(examples=[[1895, 1963]])]
    keys: Annotated[list[KeyCount], Field(description="musical keys of the tracks")]
    vocals: VocalCount | None
    music: Annotated[list[TagCount], Field(description="tags of the music, most frequent first")]


class LibrarySummary(BaseModel):
    """Size and filters of a library."""

    name: Annotated[str, Field(examples=["films"])]
    tracks: Annotated[int, Field(examples=[469])]
    hours: Annotated[float, Field(description="total length of its tracks, which may overlap", examples=[3.9])]
    filters: FilterBounds


class ExampleFilm(BaseModel):
    """A film of the data set's test set."""

    fid: Annotated[str, Field(description="the value for `example`", examples=["AAK"])]
    title: Annotated[str, Field(examples=["Nosferatu"])]
    year: Annotated[int | None, Field(examples=[1922])]
    tags: Annotated[str, Field(examples=["1922 weimar vampire expressionist silent horror german"])]
    plot: Annotated[str, Field(examples=["A young clerk travels to a castle in the mountains."])]
    image: Annotated[str, Field(description="address of its poster", examples=["/api/examples/AAK/image"])]


class Without(BaseModel):
    """Score and place of a track without one part of the query."""

    score: float
    place: Annotated[int, Field(description="among all tracks that pass the filters, from 1")]


class Passage(BaseModel):
    """A sentence of the plot, or a tag, and how much it adds to a track's score."""

    part: Annotated[Literal["plot", "tags"], Field(description="the part of the query that contains it")]
    text: Annotated[str, Field(examples=["A young clerk travels to a castle in the mountains."])]
    drop: Annotated[float, Field(description="decrease in score without it", examples=[0.094])]


class RankedTrack(BaseModel):
    """Rank and score of a track."""

    rank: Annotated[int, Field(description="in this answer, from 1")]
    score: Annotated[float, Field(description="cosine of the query and the track, from -1 to 1")]


class AddressedTrack(TrackColumns, json_schema_extra={"example": TRACK}):
    """A track with the addresses of its files."""

    row: Annotated[int, Field(description="its row in the library: the value for `like`")]
    url: Annotated[str, Field(description="the film's article; empty if it is on the corpus's own server")]
    source_url: Annotated[str, Field(description="source of the recording; empty if on the corpus's own server")]
    audio: Annotated[str, Field(description="address of the audio file")]
    image: Annotated[str | None, Field(description="address of the film's poster")]


class FoundTrack(AddressedTrack, RankedTrack, json_schema_extra={"example": TRACK}):
    """A track that was found."""

    place: Annotated[
        int | None, Field(description="among all tracks that pass the filters, from 1; only with `why`")
    ] = None
    without: Annotated[
        dict[str, Without] | None,
        Field(description="score and place without each part; only with `why` and a query of several parts"),
    ] = None
    answers: Annotated[
        list[Passage] | None,
        Field(description="passages of the query that add most to its score, greatest first; only with `why`"),
    ] = None


class Outline(BaseModel):
    """The waveform outline of a track's file."""

    peaks: Annotated[
        list[int] | None,
        Field(description="peak amplitude of each of N equal parts, 255 = full scale", examples=[[3, 180, 255]]),
    ]
    seconds: Annotated[float | None, Field(description="length of the file", examples=[13.04])]


class Place(BaseModel):
    """A track, identified by values that do not change when its library is reindexed."""

    library: Annotated[str, Field(description="name of its library", examples=["films"])]
    path: Annotated[str, Field(max_length=MOST_CHARS, examples=["data/audio/A/A/K/2.mp3"])]
    file_start_seconds: Annotated[float | None, Field(examples=[0.0], allow_inf_nan=False)] = None


class Places(BaseModel):
    """Tracks to look up."""

    tracks: Annotated[list[Place], Field(max_length=MAX_KEPT)]


class LookedUp(BaseModel):
    """The tracks looked up, in the same order."""

    tracks: Annotated[list[AddressedTrack | None], Field(description="null if the library has no such track")]


class KeptTrack(Place):
    """A track of a shortlist; its names are used if its library no longer has it."""

    note: Annotated[str, Field(max_length=MOST_NOTE_CHARS, examples=["for the chase"])] = ""
    found_for: Annotated[str, Field(max_length=2 * MOST_CHARS, examples=["Nosferatu: vampire horror"])] = ""
    title: Annotated[str, Field(max_length=MOST_CHARS)] = ""
    artist: Annotated[str, Field(max_length=MOST_CHARS)] = ""
    film: Annotated[str, Field(max_length=MOST_CHARS)] = ""


class Shortlist(BaseModel):
    """A shortlist to export."""

    format: Annotated[Format, Field(description="file format")]
    tracks: Annotated[list[KeptTrack], Field(min_length=1, max_length=MAX_KEPT)]


class Filtered(BaseModel):
    """Number of tracks of the library that pass the filters."""

    tracks: Annotated[int, Field(description="tracks that pass all filters", examples=[37])]
    alone: Annotated[
        dict[str, int], Field(description="tracks that pass each filter alone", examples=[{"tempo": 112, "vocals": 90}])
    ]


class SearchAnswer(BaseModel):
    """The answer to a search."""

    model: ChosenVariant
    unused: Annotated[list[str], Field(description="inputs that the model does not use", examples=[["plot"]])]
    library: Annotated[str, Field(examples=["films"])]
    seconds: Annotated[float, Field(description="processing time", examples=[0.058])]
    filtered: Annotated[Filtered | None, Field(description="null without filters")]
    tracks: Annotated[list[FoundTrack], Field(description="best first")]
