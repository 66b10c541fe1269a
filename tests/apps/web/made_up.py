"""Made-up answers of the API, and what the page requested."""

from email import message_from_bytes
from typing import Any

from pipeline.apps.web.schema import TRACK

FILM = "/api/libraries/films/tracks/0/audio"
MODEL = {"name": "Pair", "needs": ["tags", "plot"], "any_of": False, "recall_at_10": None, "chosen": "it fits"}
SURE = {"hit_rate_at_10": 0.72, "chance_hit_rate_at_10": 0.3, "films": 43}
FILTERS = {
    "length": [61.0, 305.4],
    "tempo": [48.2, 176.0],
    "loudness": [-38.1, -9.4],
    "year": [1902, 1930],
    "keys": [{"key": "A minor", "tracks": 12}, {"key": "F# major", "tracks": 3}],
    "vocals": {"vocal": 4, "instrumental": 11},
    "music": [{"tag": "strings", "tracks": 9}, {"tag": "slow", "tracks": 5}],
}
NO_FILTERS = dict.fromkeys(FILTERS) | {"keys": [], "music": []}


def track(rank: int = 1, **known: object) -> dict[str, Any]:
    """Return a track of an answer: the second track of a film in the data set, changed by `known`."""
    return TRACK | {"rank": rank, "place": rank, "without": None, "audio": FILM, "image": None, "number": 1} | known


def reply(page, *tracks: dict, **model: object) -> list[dict[str, list[str]]]:
    """Answer each search with `tracks` of a model; return the forms as they are sent."""
    sent: list[dict[str, list[str]]] = []
    answer = {"model": MODEL | model, "unused": [], "library": "films", "seconds": 0.1, "tracks": list(tracks)}

    def fulfill(route) -> None:
        sent.append(form_of(route.request))
        route.fulfill(json=answer)

    page.route("**/api/recommend", fulfill)
    return sent


def offer(page, **filters: object) -> None:
    """Let every library offer `filters`."""
    summary = {"name": "films", "tracks": 15, "hours": 1.0, "filters": NO_FILTERS | filters}
    page.route("**/api/libraries/*", lambda route: route.fulfill(json=summary))


def form_of(request) -> dict[str, list[str]]:
    """Return the fields of a multipart form that a browser sent: texts and the contents of files."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    fields: dict[str, list[str]] = {}
    for part in message_from_bytes(head + request.post_data_buffer).get_payload():
        name = part.get_param("name", header="content-disposition")
        fields.setdefault(name, []).append(part.get_payload(decode=True).decode("utf-8", "replace").strip())
    return fields
