"""What a sentence-transformers model says about itself, read from its files; the library itself is not needed.

`modules.json` lists the steps: the transformer, a pooling of its tokens, and often a scaling to unit norm. A folder
without it is a plain model of transformers: the class token, as it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OLD_POOLINGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}  # instead of pooling_mode
STEPS = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])  # those that are known


@dataclass(frozen=True)
class Sentence:
    """How the vector of a text is made of those of its tokens."""

    pooling: str  # "cls" or "mean"
    normalised: bool
    lower_case: bool  # before the tokenizer
    max_tokens: int | None  # special tokens counted; None: not said


def read_sentence(folder: Path) -> Sentence:
    """Return what the files of the model in `folder` say.

    Raises `ValueError` for a step, a pooling or a prompt that is not supported, other `OSError` or `LookupError` for
    files that are damaged.
    """
    if not (folder / "modules.json").is_file():
        return Sentence("cls", False, False, None)
    modules = sorted(_read(folder / "modules.json"), key=lambda module: module["idx"])
    steps = [module["type"].rpartition(".")[2] for module in modules]
    if steps not in STEPS or modules[0]["path"]:
        raise ValueError(f"its modules.json asks for {' + '.join(steps)}, but {' + '.join(STEPS[1])} is supported")
    if name := _read_if_there(folder / "config_sentence_transformers.json").get("default_prompt_name"):
        raise ValueError(f"it puts its prompt {name!r} before each text, which is not supported")
    settings = _read_if_there(folder / "sentence_bert_config.json")
    return Sentence(
        _pooling(_read(folder / modules[1]["path"] / "config.json")),
        "Normalize" in steps,
        bool(settings.get("do_lower_case")),
        settings.get("max_seq_length"),
    )


def _pooling(settings: dict[str, Any]) -> str:
    old = [name for name, chosen in settings.items() if name.startswith("pooling_mode_") and chosen]
    found = settings.get("pooling_mode") or [OLD_POOLINGS.get(name, name) for name in old]
    names = [found] if isinstance(found, str) else found
    if len(names) != 1 or names[0] not in OLD_POOLINGS.values():
        raise ValueError(f"it pools its tokens by {' + '.join(names) or 'nothing'}; cls and mean are supported")
    return names[0]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_if_there(path: Path) -> dict[str, Any]:
    return _read(path) if path.is_file() else {}
