"""The tensors of a checkpoint: the reference's name and shape of each tensor of a `RetrievalModel`, and two constants.

The reference names the encoders' layers as transformers 4 does; version 5 renamed the layers of ViT.
"""

from collections.abc import Sequence

from torch import Tensor

from pipeline.apps.checkpoint.published import ARCHITECTURE, AUDIO, KINDS
from pipeline.core.errors import ModelError
from pipeline.encoders.log_mel import LogMel
from pipeline.store.films import INPUT_TABLES

HEADS = {("text",): "V_proj", ("image",): "A_proj", ("text", "image"): "cross_projector"}  # by kinds of inputs
VIT_LAYER = "layers."  # of version 5
VIT = (  # version 5, version 4
    (VIT_LAYER, "encoder.layer."),
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
)
IMAGE_ENCODER = "image_encoder."
# Constants among the reference's weights: its Hann window and its mel filterbank.
TOLERANCE = 1e-4  # their last digits depend on the machine that computed them
WINDOW = "audio_encoder.audio_representation.spec_fn.window"
FILTERBANK = "audio_encoder.audio_representation.mel_scale.fb"
MEANING = {
    WINDOW: f"the Hann window of {AUDIO.n_fft} samples",
    FILTERBANK: f"the filterbank of {AUDIO.n_mels} HTK bands, {AUDIO.f_min:g} to {AUDIO.f_max:g} Hz, at "
    f"{AUDIO.sample_rate} Hz",
}

CLASS_TOKEN, POSITIONS, LOGIT_SCALE = "audio_tower.tower.class_token", "audio_tower.tower.positions", "logit_scale"


def in_order(inputs: Sequence[str]) -> list[str]:
    """Return a query's inputs in the reference's order: text, image."""
    return sorted(inputs, key=lambda name: list(KINDS).index(INPUT_TABLES[name]))


class Names:
    """The reference's tensor names for one variant."""

    def __init__(self, inputs: Sequence[str]) -> None:
        """Build the names for inputs in the reference's order; raise `ModelError` if it has no such query."""
        kinds = tuple(INPUT_TABLES[name] for name in inputs)
        if kinds not in HEADS:
            raise ModelError(
                f"inputs: found {', '.join(inputs)}, the reference has one text, one image, or a text followed by an "
                "image"
            )
        self._theirs = _audio() | {
            "audio_tower.head": "audio_projector.fc",
            "query_tower.head": f"{HEADS[kinds]}.fc",
            "query_tower.positions": "pos_emb1D",
            LOGIT_SCALE: "logit_scale",
            **_layers("query_tower.fusion", "cross_attention", "", ARCHITECTURE.query.layers),
        }
        for name, kind in zip(inputs, kinds, strict=True):
            self._theirs[f"query_tower.projections.{name}"] = f"{kind}_projector"
            self._theirs[f"encoders.{kind}.network"] = f"{kind}_encoder"

    def reference(self, name: str) -> str:
        """Return the reference's name of the model's tensor `name`."""
        part = name
        while part not in self._theirs:
            part = part.rpartition(".")[0]
        return of_version_4(self._theirs[part] + name[len(part) :])


def reference_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the reference's shape of the model's tensor `name` of `shape`."""
    if name == CLASS_TOKEN:
        return tuple(shape[1:])
    return (1, *shape) if name in (POSITIONS, LOGIT_SCALE) else tuple(shape)


def constants() -> dict[str, Tensor]:
    """Return the Hann window [n_fft] and the filterbank [k, m] of `LogMel` by name."""
    log_mel = LogMel(AUDIO)
    return {WINDOW: log_mel.window, FILTERBANK: log_mel.bands}


def of_version_4(name: str) -> str:
    """Return the reference's name of a tensor named as in version 4 or 5 of transformers."""
    if not name.startswith(IMAGE_ENCODER + VIT_LAYER):
        return name
    name = name.removeprefix(IMAGE_ENCODER)
    for new, old in VIT:
        name = name.replace(new, old, 1)
    return IMAGE_ENCODER + name


def _audio() -> dict[str, str]:
    ours, theirs = "audio_tower.tower", "audio_encoder"
    names = {
        CLASS_TOKEN: f"{theirs}.cls_token",
        POSITIONS: f"{theirs}.pos_embedding",
        f"{ours}.input_bn": f"{theirs}.frontend.input_bn",
        f"{ours}.blocks.0.skip.0": f"{theirs}.frontend.layer1.conv_3",
        f"{ours}.blocks.0.skip.1": f"{theirs}.frontend.layer1.bn_3",
        f"{ours}.fc": f"{theirs}.frontend.fc",
    }
    for block in range(ARCHITECTURE.audio.blocks):
        for part in ("conv_1", "bn_1", "conv_2", "bn_2"):
            names[f"{ours}.blocks.{block}.{part}"] = f"{theirs}.frontend.layer{block + 1}.{part}"
    return names | _layers(f"{ours}.transformer", f"{theirs}.transformer", ".fn", ARCHITECTURE.audio.layers)


def _layers(ours: str, theirs: str, wrapped: str, count: int) -> dict[str, str]:
    """Return the names in a transformer of `count` layers; `wrapped` is the reference's wrapper of each sublayer."""
    names: dict[str, str] = {}
    for i in range(count):
        attention, feedforward = (f"{theirs}.layers.{i}.{half}{wrapped}" for half in (0, 1))
        names |= {
            f"{ours}.attentions.{i}.norm": f"{attention}.norm",
            f"{ours}.attentions.{i}.to_qkv": f"{attention}.fn.to_qkv",
            f"{ours}.attentions.{i}.to_out": f"{attention}.fn.to_out.0",
            f"{ours}.feedforwards.{i}.0": f"{feedforward}.norm",
            f"{ours}.feedforwards.{i}.1": f"{feedforward}.fn.net.0",
            f"{ours}.feedforwards.{i}.4": f"{feedforward}.fn.net.3",
        }
    return names
