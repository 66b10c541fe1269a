"""Films that share a recording: they are one group, and a group goes to one side.

Two recordings are the same where they have the same address or the same bytes. Films share one also where segments of
theirs have the same samples.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.sharing import DisjointSets

Row = dict[str, Any]


@dataclass(frozen=True)
class Groups:
    """Which films are linked by a recording, and which recordings are the same."""

    films: dict[str, str]  # by fid: the least fid of its group
    recordings: dict[str, str]  # by path of a recording: the least path of those that are the same

    def shared(self) -> list[list[str]]:
        """Return the groups of two films or more, each sorted."""
        members: dict[str, list[str]] = {}
        for fid, least in sorted(self.films.items()):
            members.setdefault(least, []).append(fid)
        return [fids for fids in members.values() if len(fids) > 1]


def groups_of(tracks: Mapping[str, Iterable[Row]], downloads: Iterable[Row]) -> Groups:
    """Return the groups of films; `tracks` are the rows of their segments by fid, `downloads` one row per recording."""
    digests = {row["path"]: row["sha256"] for row in downloads if row["path"]}
    same, linked = DisjointSets(), DisjointSets()
    for fid, of_film in tracks.items():
        linked.add(fid)
        for track in of_film:
            source = track["source"]
            same.add(source)
            for kind, value in (("address", track["source_url"]), ("bytes", digests.get(source, ""))):
                if value:
                    same.join(source, (kind, value))
            linked.join(fid, ("recording", source))
            linked.join(fid, ("samples", track["sha256"]))
    recordings = same.least()
    for source, least in recordings.items():
        linked.join(("recording", least), ("recording", source))
    return Groups(linked.least(), recordings)
