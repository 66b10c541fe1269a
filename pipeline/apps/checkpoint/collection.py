"""Importing all checkpoints of a source as models; a checkpoint that cannot be imported is a row with a reason."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.apps.checkpoint.deciding import OPTION, Entry, published_variants
from pipeline.apps.checkpoint.files import SUFFIXES, Source
from pipeline.apps.checkpoint.importing import import_reference
from pipeline.core.errors import ModelError, PipelineError
from pipeline.core.text import one_line
from pipeline.core.variants import Variants, variant_of

WIDTH = 100  # columns of the table if the output is not a terminal
SHOWN = 3  # other files listed by name


@dataclass(frozen=True)
class Encoders:
    """Settings of a model that are not part of a checkpoint."""

    text: str  # name of the text encoder's configuration
    image: str
    fuse_single: bool  # whether a query of one input goes through the fusion


def import_all(
    entries: Iterable[Entry], source: Source, out: Path | None, variants: Variants, encoders: Encoders
) -> list[Entry]:
    """Import the entries whose `reason` is empty; return all entries with their results.

    A model is written to `out`/VARIANT (None: models/VARIANT), or to `out` if the source is one file.
    """
    done = []
    for entry in entries:
        if not entry.reason:
            folder = out if out and source.is_file else (out or Path("models")) / entry.variant
            entry = _imported(entry, source, folder, variants, encoders)
        done.append(entry)
    return done


def usable(entries: Iterable[Entry]) -> list[str]:
    """Return the variants of the entries without a reason."""
    return [entry.variant for entry in entries if not entry.reason]


def require_imported(entries: Sequence[Entry]) -> None:
    """Raise `ModelError` if nothing was imported, or if a file named by the user was not."""
    if not entries:
        raise ModelError(f"no file ends in {', '.join(SUFFIXES)}: name each checkpoint with --file FILE=VARIANT")
    if len(entries) == 1 and entries[0].reason:
        file, reason = one_line(entries[0].file), entries[0].reason
        raise ModelError(reason if reason.startswith(file) else f"{file}: {reason}")
    failed = [one_line(entry.file) for entry in entries if entry.by == OPTION and entry.reason]
    if failed:
        raise ModelError(f"--file: {', '.join(failed)} not imported; see the reasons above")
    if not usable(entries):
        raise ModelError("no checkpoint was imported; see the reasons above")


def print_entries(entries: Sequence[Entry], source: Source, variants: Variants) -> None:
    """Print one row per file, then the long reasons, the variants without a checkpoint, and the other files."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("file", "variant", "by", "tensors", "model or reason"):
        table.add_column(column, overflow="fold", justify="right" if column == "tensors" else "left")
    for entry in entries:
        result = _short(entry.reason) or str(entry.folder)
        cells = (entry.file, entry.variant, entry.by, str(entry.tensors or ""), result)
        table.add_row(*(Text(one_line(cell)) for cell in cells), style="dim" if entry.reason else None)
    console.print(table)
    for reason in (entry.reason for entry in entries):
        if "\n" in reason:
            console.print(Text(reason), soft_wrap=True)
    missing = [name for name in published_variants(variants) if name not in usable(entries)]
    if missing and not source.is_file:
        console.print(Text(f"Variants without a checkpoint: {', '.join(missing)}"))
    listed = {entry.file for entry in entries}
    others = [one_line(file) for file in source.files if file not in listed]
    if others:
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        console.print(Text(f"Other files: {', '.join(others[:SHOWN])}{more}"))


def _imported(entry: Entry, source: Source, folder: Path, variants: Variants, encoders: Encoders) -> Entry:
    path = Path(entry.file)
    try:
        path = source.fetch(entry.file)
        tensors = import_reference(
            path,
            folder,
            entry.variant,
            variant_of(variants, entry.variant).inputs,
            encoders.text,
            encoders.image,
            fuse_single=encoders.fuse_single,
        )
    except (PipelineError, OSError) as error:
        return replace(entry, reason=str(error).replace(str(path), entry.file))
    return replace(entry, tensors=tensors, folder=folder)


def _short(reason: str) -> str:
    first, _, rest = reason.partition("\n")
    return f"{first.rstrip(':')} (see below)" if rest else first
