"""What the API answers, as OpenAPI describes it."""

from typing import Annotated

from pydantic import BaseModel, Field

from pipeline.store.index import TrackColumns

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
    row: Annotated[int, Field(description="its number in the library: what `like` takes")]
    score: Annotated[float, Field(description="cosine of the query and the track, from -1 to 1")]


class FoundTrack(TrackColumns, RankedTrack, json_schema_extra={"example": TRACK}):
    """A track that was found."""

    place: Annotated[int | None, Field(description="among all tracks before filters, from 1; only with `why`")] = None
    without: Annotated[
        dict[str, Without] | None,
        Field(description="score and place without each part of the query; only with `why`, and of several parts"),
    ] = None
    audio: Annotated[str, Field(description="address of its file")]
    image: Annotated[str | None, Field(description="address of its film's poster")]


class SearchAnswer(BaseModel):
    """What was found."""

    model: ChosenVariant
    unused: Annotated[list[str], Field(description="what was given and the model does not read", examples=[["plot"]])]
    library: Annotated[str, Field(examples=["films"])]
    seconds: Annotated[float, Field(description="that it took", examples=[0.058])]
    tracks: Annotated[list[FoundTrack], Field(description="the best first")]
