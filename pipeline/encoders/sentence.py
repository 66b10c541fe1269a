"""What a sentence-transformers model says about itself, read from its files; the library itself is not needed.

`modules.json` lists the steps: the transformer, a pooling of its tokens, dense layers over what is pooled where there
are some, and often a scaling to unit norm. `config_sentence_transformers.json` may name a prompt that goes before each
text. A folder without `modules.json` is a plain model of transformers: the class token, as it is.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

OLD_POOLINGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}  # instead of pooling_mode
FIRST, LAYER, LAST = ["Transformer", "Pooling"], "Dense", "Normalize"  # the steps that are known, in this order
ACTIVATIONS = {  # of a dense layer, by the name in its file: nothing is imported by it
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
}
LAYER_SETTINGS = ("in_features", "out_features", "bias", "activation_function")
POOLED = (None, "sentence_embedding")  # what newer versions call the vector that a dense layer reads and writes

Settings = Mapping[str, Any]


class Dense(nn.Sequential):
    """Dense layers over a pooled vector [n, f], with fresh weights; without any it stays as it is."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        """Build a layer for each of `settings`, which have `LAYER_SETTINGS`."""
        super().__init__(*map(_layer, settings))
        self.settings = list(settings)


@dataclass(frozen=True)
class Sentence:
    """How the vector of a text is made of those of its tokens."""

    pooling: str  # "cls" or "mean"
    dense: Dense  # with its weights
    normalised: bool
    lower_case: bool  # before the tokenizer
    max_tokens: int | None  # special tokens counted; None: not said
    prompt: str  # before each text; often empty


def read_sentence(folder: Path) -> Sentence:
    """Return what the files of the model in `folder` say.

    Raises `ValueError` for a step, a pooling or an activation that is not supported, and for weights that do not fit;
    other `OSError` or `LookupError` for files that are damaged.
    """
    if not (folder / "modules.json").is_file():
        return Sentence("cls", Dense([]), False, False, None, "")
    modules = sorted(_read(folder / "modules.json"), key=lambda module: module["idx"])
    steps = [module["type"].rpartition(".")[2] for module in modules]
    layers = steps[len(FIRST) :]
    normalised = layers[-1:] == [LAST]
    layers = layers[:-1] if normalised else layers
    if steps[: len(FIRST)] != FIRST or set(layers) - {LAYER} or modules[0]["path"]:
        known = " + ".join([*FIRST, f"any number of {LAYER}", LAST])
        raise ValueError(f"its modules.json asks for {' + '.join(steps)}, but {known} is supported")
    folders = [folder / module["path"] for module in modules]
    pooling, prompt = _read(folders[1] / "config.json"), _prompt(folder)
    if prompt and not pooling.get("include_prompt", True):
        raise ValueError(f"it leaves the tokens of its prompt {prompt!r} out of its pooling, which is not supported")
    settings = _read_if_there(folder / "sentence_bert_config.json")
    return Sentence(
        _pooling(pooling),
        _dense(folders[len(FIRST) : len(FIRST) + len(layers)]),
        normalised,
        bool(settings.get("do_lower_case")),
        settings.get("max_seq_length"),
        prompt,
    )


def _prompt(folder: Path) -> str:
    """Return the prompt that is the default, "" without one."""
    settings = _read_if_there(folder / "config_sentence_transformers.json")
    name, prompts = settings.get("default_prompt_name"), settings.get("prompts") or {}
    if name is None:
        return ""
    if name not in prompts:
        raise ValueError(f"its default prompt {name!r} is none of its prompts ({', '.join(prompts) or 'none'})")
    return prompts[name]


def _pooling(settings: Settings) -> str:
    old = [name for name, chosen in settings.items() if name.startswith("pooling_mode_") and chosen]
    found = settings.get("pooling_mode") or [OLD_POOLINGS.get(name, name) for name in old]
    names = [found] if isinstance(found, str) else found
    if len(names) != 1 or names[0] not in OLD_POOLINGS.values():
        raise ValueError(f"it pools its tokens by {' + '.join(names) or 'nothing'}; cls and mean are supported")
    return names[0]


def _dense(folders: Sequence[Path]) -> Dense:
    """Return the layers in `folders` with their weights."""
    settings = [_read(folder / "config.json") for folder in folders]
    for of_layer in settings:
        for name in ("module_input_name", "module_output_name"):
            if of_layer.get(name) not in POOLED:
                raise ValueError(f"its dense layer has {name} {of_layer[name]!r}; {POOLED[1]} is supported")
    dense = Dense([{name: of_layer[name] for name in LAYER_SETTINGS} for of_layer in settings])
    for layer, folder in zip(dense, folders, strict=True):
        try:
            layer.load_state_dict(_weights(folder))
        except RuntimeError:
            raise ValueError(
                f"the weights in its {folder.name} are not those that config.json there describes"
            ) from None
    return dense.eval()


def _layer(settings: Settings) -> nn.Sequential:
    name = settings["activation_function"]
    if name not in ACTIVATIONS:
        raise ValueError(f"its dense layer has the activation {name!r}; {' and '.join(ACTIVATIONS)} are supported")
    linear = nn.Linear(settings["in_features"], settings["out_features"], settings["bias"])
    return nn.Sequential(OrderedDict(linear=linear, activation=ACTIVATIONS[name]()))  # whose weights' names these are


def _weights(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if (folder / "model.safetensors").is_file():
        return load_file(folder / "model.safetensors")
    return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_if_there(path: Path) -> dict[str, Any]:
    return _read(path) if path.is_file() else {}
