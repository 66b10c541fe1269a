"""The variant of each file of a source: named by the user, else inferred from its name, else from its tensors.

Words in a name give a variant, whatever their case and separators: `best_M-Im-Plo.pth` is ImPlo, not Im. Tensors show
which encoders a checkpoint has, and two extra words in the vocabulary that the text is `tags_plot`; if several variants
are left, the user must name one.
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
BY = (OPTION, NAME, FOLDER, TENSORS)  # in order of precedence


@dataclass(frozen=True)
class Entry:
    """A file of a source and the result of its import."""

    file: str
    variant: str = ""
    by: str = ""  # one of `BY`
    reason: str = ""  # why it is not imported
    tensors: int = 0
    folder: Path | None = None  # of the imported model


def published_variants(variants: Variants) -> list[str]:
    """Return the variants with a class in the reference."""
    plain = {name: row for name, row in variants.items() if row.method == "contrastive" and not row.answers_subsets}
    return [name for name, row in plain.items() if _kinds(row.inputs) in HEADS]


def named_by_user(options: Iterable[str], source: Source, variants: Variants) -> dict[str, str]:
    """Return the variant of each file in `options`, each FILE=VARIANT; FILE is a path or the end of one.

    Raises `ParamsError` for an unknown or repeated file or variant.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, variant = option.rpartition("=")
        if not equals:
            raise ParamsError(f"--file: found {option!r}, expected FILE=VARIANT")
        variant_of(variants, variant)
        files = [file for file in source.files if file == name] or [
            file for file in source.files if file.endswith(f"/{name}")
        ]
        if len(files) != 1:
            there = files or [file for file in source.files if is_candidate(file)]
            raise ParamsError(f"--file: found {name!r}, allowed are {', '.join(there) or 'none'}")
        if files[0] in found or variant in found.values():
            raise ParamsError(f"--file: found {option!r}, whose file or variant was already named")
        found[files[0]] = variant
    return found


def decide(source: Source, named: Mapping[str, str], variants: Variants, text: str) -> list[Entry]:
    """Return the possible checkpoints with their variants, and a reason for those not to import.

    `named` holds the variants named by the user. A file is fetched only if neither the user nor its name gives its
    variant and some variant has no file yet. `text` names the text encoder's configuration, whose vocabulary is
    compared.
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
    """Return the variant in a file's name, else in its nearest folder's name, and which of `BY`; or empty strings."""
    own = PurePosixPath(path)
    for name, by in ((own.stem, NAME), *((parent.name, FOLDER) for parent in own.parents)):
        if variant := variant_in(name, variants):
            return variant, by
    return "", ""


def variant_in(name: str, variants: Iterable[str]) -> str:
    """Return the one variant spelled by consecutive words of `name`; empty if there are none or several."""
    plain = {re.sub("[^a-z0-9]", "", variant.lower()): variant for variant in variants}
    spellings = {MODEL + spelling: variant for spelling, variant in plain.items()} | plain
    words = [word.lower() for word in WORD.findall(name)]
    ends = range(len(words) + 1)
    spans = [(i, j) for i in ends for j in ends if i < j and "".join(words[i:j]) in spellings]
    longest = [(i, j) for i, j in spans if not any((i, j) != (a, b) and a <= i and j <= b for a, b in spans)]
    found = {spellings["".join(words[i:j])] for i, j in longest}
    return found.pop() if len(found) == 1 else ""


def _by_tensors(entry: Entry, source: Source, lacking: Sequence[str], variants: Variants, text: str) -> Entry:
    """Return the entry with the variant inferred from the tensors of its file, or with a reason."""
    if not lacking:
        return replace(entry, reason="its name has no variant, and every variant has a file")
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
        taken = "" if allowed[0] in lacking else f"its tensors are those of {allowed[0]}, which has another file"
        return replace(entry, variant=allowed[0], by=TENSORS, reason=taken)
    if not allowed:
        encoders = " and ".join(kinds) or "no"
        return replace(entry, reason=f"its name has no variant, and no variant has exactly {encoders} encoders")
    left = [name for name in allowed if name in lacking] or allowed
    advice = f"add --file '{entry.file}={left[0]}'" + (" or another of them" if len(left) > 1 else " if that is right")
    return replace(entry, reason=f"its name has no variant, and its tensors fit {', '.join(allowed)}: {advice}")


def _one_each(entries: Sequence[Entry]) -> list[Entry]:
    """Return `entries` with a reason for each whose variant another entry has with the same or a higher precedence."""
    result = []
    for entry in entries:
        rivals = [e for e in entries if e is not entry and e.variant == entry.variant and not e.reason]
        ahead = [e for e in rivals if BY.index(e.by) < BY.index(entry.by)] if entry.variant else []
        beside = [e for e in rivals if e.by == entry.by] if entry.variant else []
        reason = entry.reason
        if not reason and ahead:
            reason = f"{ahead[0].file} takes precedence for {entry.variant} (by {ahead[0].by})"
        elif not reason and beside:
            others = ", ".join(other.file for other in beside)
            reason = (
                f"same variant as {others} (by {entry.by}): choose one, e.g. with --file '{entry.file}={entry.variant}'"
            )
        result.append(replace(entry, reason=reason))
    return result


def _kinds(inputs: Sequence[str]) -> tuple[str, ...]:
    return tuple(INPUT_TABLES[name] for name in in_order(inputs))
