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


class ChosenVariant(Variant):
    """The model that answered."""

    chosen: Annotated[
        str, Field(description="why it was this one", examples=["the one that ranks best on the evaluation films"])
    ]


class LibraryInfo(BaseModel):
    """Tracks that can be searched."""

    name: Annotated[str, Field(description="what `library` takes", examples=["films"])]
    tracks: Annotated[int | None, Field(description="how many; null until it was searched once", examples=[469])]


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
    place: Annotated[int, Field(description="among all tracks, from 1")]


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

    place: Annotated[int | None, Field(description="among all tracks before filters, from 1; only with `why`")] = None
    without: Annotated[
        dict[str, Without] | None,
        Field(description="score and place without each part of the query; only with `why`, and of several parts"),
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


class SearchAnswer(BaseModel):
    """What was found."""

    model: ChosenVariant
    unused: Annotated[list[str], Field(description="what was given and the model does not read", examples=[["plot"]])]
    library: Annotated[str, Field(examples=["films"])]
    seconds: Annotated[float, Field(description="that it took", examples=[0.058])]
    tracks: Annotated[list[FoundTrack], Field(description="the best first")]
