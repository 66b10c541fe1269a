"""Soundtrack retrieval: find the music that fits a film's image, tags and plot."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.apps.published.load import PublishedModel
    from pipeline.core.machine import Device


def load(model: "str | Path", device: "Device" = "auto") -> "PublishedModel":
    """Return the published model in a folder or at `hf://OWNER/REPO`, ready to `recommend`.

    Raises `pipeline.core.errors.ModelError` if it is not a valid model or cannot be fetched.
    """
    from pipeline.apps.published.load import load

    return load(model, device)
