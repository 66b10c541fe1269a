"""Which variant each file of a source is: as the user names it, else by its name, else by the tensors in it.

Words of a name give a variant, whatever their case and what separates them: `best_M-Im-Plo.pth` is ImPlo, not Im.
Tensors show which encoders there are, and by two more words in the vocabulary that the text is `tags_plot`; where
that leaves several variants, the user names one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from pipeline.apps.checkpoint.encoders import vocabulary
from pipeline.apps.checkpoint.files import Source, is_candidate, size_reason
from pipeline.apps.checkpoint.importing import kinds_of, read_checkpoint, words_of
from pipeline.apps.checkpoint.tensors import HEADS, in_order
from pipeline.core.errors import ParamsError, PipelineError
from pipeline.core.variants import Variants, variant_of
from pipeline.encoders.tuned import MARKS
from pipeline.store.films import INPUT_TABLES

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
MODEL = "m"  # the paper's prefix of a variant: M-ImPlo
OPTION, NAME, FOLDER, TENSORS = "option", "name", "folder's name", "tensors"
BY = (OPTION, NAME, FOLDER, TENSORS)  # of two files that are one variant, the one that is so by the earlier


@dataclass(frozen=True)
class Entry:
    """A file of a source, and what becomes of it."""

    file: str
    variant: str = ""
    by: str = ""  # one of `BY`
    reason: str = ""  # why it is not imported
    tensors: int = 0
    folder: Path | None = None  # of the model that it became


def published_variants(variants: Variants) -> list[str]:
    """Return the variants that the reference has classes for."""
    plain = {name: row for name, row in variants.items() if row.method == "contrastive" and not row.answers_subsets}
    return [name for name, row in plain.items() if _kinds(row.inputs) in HEADS]


def named_by_user(options: Iterable[str], source: Source, variants: Variants) -> dict[str, str]:
    """Return the variants by file of `FILE=VARIANT`, a file being named by its path or the end of it.

    Raises `ParamsError` for a file or a variant that there is not, and where one is named twice.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, variant = option.rpartition("=")
        if not equals:
            raise ParamsError(f"--file: found {option!r}, write FILE=VARIANT")
        variant_of(variants, variant)
        files = [file for file in source.files if file == name] or [
            file for file in source.files if file.endswith(f"/{name}")
        ]
        if len(files) != 1:
            there = files or [file for file in source.files if is_candidate(file)]
            raise ParamsError(f"--file: found {name!r}, allowed are {', '.join(there) or 'none'}")
        if files[0] in found or variant in found.values():
            raise ParamsError(f"--file: found {option!r}, but its file or its variant is named before it")
        found[files[0]] = variant
    return found


def decide(source: Source, named: Mapping[str, str], variants: Variants, text: str) -> list[Entry]:
    """Return what each file that may be a checkpoint is, with a reason where it is not to be imported.

    `named` are those that the user names. A file is fetched where neither the user nor its name gives its variant,
    and some variant has no file yet. `text` names the configuration of the text encoder that its vocabulary is compared
    with.
    """
    entries = []
    for file, size in source.files.items():
        if file in named:
            entries.append(Entry(file, named[file], OPTION, size_reason(size, named=True)))
        elif is_candidate(file):
            variant, by = variant_in_path(file, variants)
            entries.append(Entry(file, variant, by, size_reason(size, named=False)))
    entries = _one_each(entries)
    lacking = [name for name in published_variants(variants) if name not in {entry.variant for entry in entries}]
    looked = [
        entry if entry.variant or entry.reason else _by_tensors(entry, source, lacking, variants, text)
        for entry in entries
    ]
    return _one_each(looked)


def variant_in_path(path: str, variants: Iterable[str]) -> tuple[str, str]:
    """Return the variant that a file's name gives, else the nearest folder's, and by which of `BY`; or empty texts."""
    own = PurePosixPath(path)
    for name, by in ((own.stem, NAME), *((parent.name, FOLDER) for parent in own.parents)):
        if variant := variant_in(name, variants):
            return variant, by
    return "", ""


def variant_in(name: str, variants: Iterable[str]) -> str:
    """Return the one variant that words of `name` give, side by side; empty if they give none or several."""
    plain = {re.sub("[^a-z0-9]", "", variant.lower()): variant for variant in variants}
    spellings = {MODEL + spelling: variant for spelling, variant in plain.items()} | plain
    words = [word.lower() for word in WORD.findall(name)]
    ends = range(len(words) + 1)
    spans = [(i, j) for i in ends for j in ends if i < j and "".join(words[i:j]) in spellings]
    longest = [(i, j) for i, j in spans if not any((i, j) != (a, b) and a <= i and j <= b for a, b in spans)]
    found = {spellings["".join(words[i:j])] for i, j in longest}
    return found.pop() if len(found) == 1 else ""


def _by_tensors(entry: Entry, source: Source, lacking: Sequence[str], variants: Variants, text: str) -> Entry:
    """Return the entry with the variant that the tensors of its file give, or with a reason."""
    if not lacking:
        return replace(entry, reason="its name gives no variant, and each variant has a file")
    path = Path(entry.file)
    try:
        path = source.fetch(entry.file)
        checkpoint = read_checkpoint(path)
        kinds = tuple(kinds_of(checkpoint))
        marked = "text" in kinds and words_of(checkpoint) == vocabulary(text) + len(MARKS)
    except (PipelineError, OSError) as error:
        return replace(entry, reason=str(error).replace(str(path), entry.file))
    allowed = [name for name in published_variants(variants) if _kinds(variants[name].inputs) == kinds]
    if marked:
        allowed = [name for name in allowed if "tags_plot" in variants[name].inputs]
    if len(allowed) == 1:
        taken = "" if allowed[0] in lacking else f"its tensors give {allowed[0]}, as another file's name does"
        return replace(entry, variant=allowed[0], by=TENSORS, reason=taken)
    if not allowed:
        encoders = " and ".join(kinds) or "no"
        return replace(entry, reason=f"its name gives no variant, and no variant has just {encoders} encoders")
    left = [name for name in allowed if name in lacking] or allowed
    advice = f"add --file '{entry.file}={left[0]}'" + (" or another of them" if len(left) > 1 else " if it is that one")
    return replace(entry, reason=f"its name gives no variant, and its tensors fit {', '.join(allowed)}: {advice}")


def _one_each(entries: Sequence[Entry]) -> list[Entry]:
    """Return `entries` with a reason at each whose variant another one is by an earlier of `BY`, or by the same."""
    result = []
    for entry in entries:
        rivals = [e for e in entries if e is not entry and e.variant == entry.variant and not e.reason]
        ahead = [e for e in rivals if BY.index(e.by) < BY.index(entry.by)] if entry.variant else []
        beside = [e for e in rivals if e.by == entry.by] if entry.variant else []
        reason = entry.reason
        if not reason and ahead:
            reason = f"{entry.variant} is {ahead[0].file}, by {ahead[0].by}"
        elif not reason and beside:
            others = ", ".join(other.file for other in beside)
            reason = f"{others} too, by {entry.by}: choose one, as with --file '{entry.file}={entry.variant}'"
        result.append(replace(entry, reason=reason))
    return result


def _kinds(inputs: Sequence[str]) -> tuple[str, ...]:
    return tuple(INPUT_TABLES[name] for name in in_order(inputs))
