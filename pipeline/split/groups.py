"""Groups of films that share music; a group is assigned to one split.

Two recordings are the same if they have the same URL or the same bytes, two segments if they have the same samples or
sound the same (`pipeline.split.sounds`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.sharing import DisjointSets
from pipeline.split.sounds import same_sounds

Row = dict[str, Any]


@dataclass(frozen=True)
class Groups:
    """Films linked by their music, and equal recordings and segments."""

    films: dict[str, str]  # by fid: the least fid of its group
    recordings: dict[str, str]  # by path of a recording: the least path of equal ones
    sounds: dict[str, str]  # by path of a segment: the least path of those with the same sound

    def shared(self) -> list[list[str]]:
        """Return the groups of two films or more, each sorted."""
        members: dict[str, list[str]] = {}
        for fid, least in sorted(self.films.items()):
            members.setdefault(least, []).append(fid)
        return [fids for fids in members.values() if len(fids) > 1]


def groups_of(tracks: Mapping[str, Sequence[Row]], downloads: Iterable[Row]) -> Groups:
    """Return the groups of films; `tracks` are the rows of their segments by fid, `downloads` one row per recording."""
    digests = {row["path"]: row["sha256"] for row in downloads if row["path"]}
    segments = [track for of_film in tracks.values() for track in of_film]
    recordings, sounds, films = DisjointSets(), DisjointSets(), DisjointSets()
    for track in segments:
        source = track["source"]
        recordings.add(source)
        for kind, value in (("address", track["source_url"]), ("bytes", digests.get(source, ""))):
            if value:
                recordings.join(source, (kind, value))
        sounds.join(track["path"], ("samples", track["sha256"]))
    for one, other in same_sounds(segments):
        sounds.join(segments[one]["path"], segments[other]["path"])
    same_recordings, same_segments = recordings.least(), sounds.least()
    for track in segments:
        films.join(track["fid"], ("recording", same_recordings[track["source"]]))
        films.join(track["fid"], ("sound", same_segments[track["path"]]))
    return Groups(films.least(), same_recordings, same_segments)
