"""Settings of a sentence-transformers model, read from its files without the library.

`modules.json` lists the steps: the transformer, pooling of its tokens, optional dense layers, and often normalisation.
`config_sentence_transformers.json` may name a prompt that precedes each text. A folder without `modules.json` is a
plain transformers model, of which the class token is used.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

OLD_POOLINGS = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}  # before `pooling_mode`
FIRST, LAYER, LAST = ["Transformer", "Pooling"], "Dense", "Normalize"  # supported steps, in order
ACTIVATIONS = {  # of a dense layer, by the name in its file, which is never imported
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
}
LAYER_SETTINGS = ("in_features", "out_features", "bias", "activation_function")
POOLED = (None, "sentence_embedding")  # name of a dense layer's input and output in newer versions

Settings = Mapping[str, Any]


class Dense(nn.Sequential):
    """Dense layers over a pooled vector [n, f], with random weights; the identity if there are none."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        """Build a layer for each of `settings`, dicts of `LAYER_SETTINGS`."""
        super().__init__(*map(_layer, settings))
        self.settings = list(settings)


@dataclass(frozen=True)
class Sentence:
    """The steps from the vectors of a text's tokens to the vector of the text."""

    pooling: str  # "cls" or "mean"
    dense: Dense  # with its weights
    normalised: bool
    lower_case: bool  # before the tokenizer
    max_tokens: int | None  # including special tokens; None if unspecified
    prompt: str  # precedes each text; often empty


def read_sentence(folder: Path) -> Sentence:
    """Return the settings of the model in `folder`.

    Raises `ValueError` for unsupported steps, poolings or activations and for mismatched weights, `OSError` or
    `LookupError` for damaged files.
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
        raise ValueError(f"its modules.json has {' + '.join(steps)}, expected {known}")
    folders = [folder / module["path"] for module in modules]
    pooling, prompt = _read(folders[1] / "config.json"), _prompt(folder)
    if prompt and not pooling.get("include_prompt", True):
        raise ValueError(f"it excludes the tokens of its prompt {prompt!r} from pooling, which is not supported")
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
    """Return the default prompt, or an empty string."""
    settings = _read_if_there(folder / "config_sentence_transformers.json")
    name, prompts = settings.get("default_prompt_name"), settings.get("prompts") or {}
    if name is None:
        return ""
    if name not in prompts:
        raise ValueError(f"its default prompt {name!r} is not one of its prompts ({', '.join(prompts) or 'none'})")
    return prompts[name]


def _pooling(settings: Settings) -> str:
    old = [name for name, chosen in settings.items() if name.startswith("pooling_mode_") and chosen]
    found = settings.get("pooling_mode") or [OLD_POOLINGS.get(name, name) for name in old]
    names = [found] if isinstance(found, str) else found
    if len(names) != 1 or names[0] not in OLD_POOLINGS.values():
        raise ValueError(f"its pooling is {' + '.join(names) or 'none'}, expected cls or mean")
    return names[0]


def _dense(folders: Sequence[Path]) -> Dense:
    """Return the layers in `folders` with their weights."""
    settings = [_read(folder / "config.json") for folder in folders]
    for of_layer in settings:
        for name in ("module_input_name", "module_output_name"):
            if of_layer.get(name) not in POOLED:
                raise ValueError(f"its dense layer has {name} {of_layer[name]!r}, expected {POOLED[1]!r}")
    dense = Dense([{name: of_layer[name] for name in LAYER_SETTINGS} for of_layer in settings])
    for layer, folder in zip(dense, folders, strict=True):
        try:
            layer.load_state_dict(_weights(folder))
        except RuntimeError:
            raise ValueError(f"the weights in its {folder.name} do not match the config.json there") from None
    return dense.eval()


def _layer(settings: Settings) -> nn.Sequential:
    name = settings["activation_function"]
    if name not in ACTIVATIONS:
        raise ValueError(f"its dense layer has the activation {name!r}, expected {' or '.join(ACTIVATIONS)}")
    linear = nn.Linear(settings["in_features"], settings["out_features"], settings["bias"])
    return nn.Sequential(OrderedDict(linear=linear, activation=ACTIVATIONS[name]()))  # the names of the stored weights


def _weights(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if (folder / "model.safetensors").is_file():
        return load_file(folder / "model.safetensors")
    return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _read_if_there(path: Path) -> dict[str, Any]:
    return _read(path) if path.is_file() else {}
