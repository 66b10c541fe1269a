"""The text of a list with entries added or removed; everything else stays byte for byte."""

import json
import re
from collections.abc import Collection
from typing import Any

INDENT = "  "  # of a new list


def with_entries(text: str, new: dict[str, dict[str, Any]]) -> str:
    """Return the JSON object `text` with the entries `new` appended, in the same indentation."""
    body = text.rstrip()[:-1].rstrip()  # without the closing brace
    tail = text.rstrip(" \t")[len(text.rstrip()) :]  # keeps a final newline
    empty = body.lstrip("\ufeff \t\r\n") == "{"
    indent = re.match(r"\ufeff?\s*\{\s*?(\r?\n)([ \t]*)\"", text)
    if not indent and not empty:  # all on one line
        return f"{body}, {json.dumps(new, ensure_ascii=False)[1:-1]}}}{tail}"
    line, step = (indent[1], indent[2]) if indent else ("\n", INDENT)
    inner = json.dumps(new, ensure_ascii=False, indent=step or INDENT).removeprefix("{\n").removesuffix("\n}")
    return f"{body}{'' if empty else ','}{line}{inner.replace(chr(10), line)}{line}}}{tail or line}"


def without_entries(text: str, fids: Collection[str]) -> str:
    """Return the JSON object `text` without the entries `fids`; the others stay byte for byte."""
    places = _places(text)
    kept = [number for number, (fid, _, _) in enumerate(places) if fid not in fids]
    if not kept:
        return "{}\n"
    ends = [places[0][1], *(end for _, _, end in places)]
    parts = [text[: ends[0]], text[places[kept[0]][1] : places[kept[0]][2]]]
    parts += [text[ends[number] : ends[number + 1]] for number in kept[1:]]  # each with the comma before it
    return "".join([*parts, text[ends[-1] :]])


def _places(text: str) -> list[tuple[str, int, int]]:
    """Return the keys of the JSON object `text`, each with begin and end of its entry."""
    decoder, places = json.JSONDecoder(), []
    at = text.index("{") + 1
    while text[at := _past_space(text, at)] == '"':
        fid, colon = decoder.raw_decode(text, at)
        _, end = decoder.raw_decode(text, _past_space(text, _past_space(text, colon) + 1))
        places.append((fid, at, end))
        at = _past_space(text, end)
        at += text[at] == ","
    return places


def _past_space(text: str, at: int) -> int:
    while text[at].isspace():
        at += 1
    return at
