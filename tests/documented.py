"""The code blocks of README, CONTRIBUTING and docs/, and the commands in them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:python -m|dvc|make) [^`…]+)`")  # complete commands in sentences
BETWEEN = set("&|;")  # two commands
PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a block, with the output that the block shows."""

    block: Block
    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    output: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(self.words)


def blocks() -> list[Block]:
    """Return all fenced blocks."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        page = path.relative_to(ROOT).as_posix()
        for match in FENCE.finditer(text):
            found.append(Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]))
    return found


def commands() -> list[Command]:
    """Return the commands of all blocks, in the order of the pages."""
    return [command for block in blocks() for command in commands_of(block)]


def mentioned() -> list[Command]:
    """Return the commands within the text of all pages."""
    found = []
    for path in PAGES:
        block = Block(path.relative_to(ROOT).as_posix(), 0, "", "")
        for text in INLINE.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
            found += _split(block, text, ())
    return found


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a shell block or a terminal transcript."""
    if block.language == "sh":
        lines = _without_documents(block.text.replace("\\\n", " ").splitlines())
        return [command for line in lines for command in _split(block, line, ())]
    found = []
    if block.language == "console":
        for part in block.text.split(f"\n{PROMPT}"):
            line, *output = part.removeprefix(PROMPT).rstrip("\n").split("\n")
            found += _split(block, line, tuple(output))
    return found


def _without_documents(lines: list[str]) -> list[str]:
    """Return `lines` without the contents of here-documents."""
    kept, end = [], None
    for line in lines:
        if end is None:
            kept.append(line)
            end = match[1] if (match := re.search(r"<<(\w+)$", line)) else None
        elif line == end:
            end = None
    return kept


def _split(block: Block, line: str, output: tuple[str, ...]) -> list[Command]:
    """Return the commands of a line; only the last one has `output`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= BETWEEN:
            parts.append([])
        else:
            parts[-1].append(word)
    found = [_command(block, part) for part in parts if part]
    return [*found[:-1], Command(block, found[-1].words, found[-1].environment, output)] if found else []


def _command(block: Block, words: list[str]) -> Command:
    """Return the command without redirections, and its variables separately."""
    end = next((i for i, word in enumerate(words) if set(word) <= set("<>")), len(words))
    start = next((i for i, word in enumerate(words) if not re.match(r"[A-Z_]+=", word)), end)
    return Command(block, tuple(words[start:end]), tuple(tuple(word.split("=", 1)) for word in words[:start]))
