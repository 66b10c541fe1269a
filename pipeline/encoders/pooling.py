"""Which of a model's vectors is taken: `cls` its class token, `mean` the mean of its tokens, `pooler` its own output.

A model's own output is what it was trained to compare or to classify by: the projection of CLIP and CLAP, the pooling
head of SigLIP, the dense layer over the class token of BERT.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from pipeline.core.errors import ParamsError

Poolings = Mapping[str, Callable[[], Tensor]]  # what a model's output can be pooled to [n, f], by name


def chosen(key: str, encoder: str, wanted: str, auto: str, allowed: Poolings) -> str:
    """Return the pooling `wanted`, or `auto` when that is left to the model; raise `ParamsError` unless allowed."""
    pooling = auto if wanted == "auto" else wanted
    if pooling not in allowed:
        names = ", ".join(allowed) or "none"
        raise ParamsError(f"{key}: found {wanted!r}; {encoder} has weights for {names}")
    return pooling
