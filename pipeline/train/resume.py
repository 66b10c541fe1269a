"""What a killed training resumes from: its state after the last whole epoch.

It lies outside the model's folder, which DVC empties before a stage runs, and in the main repository also where DVC
works in a copy, under a name made of all that decides the result, so that only the same training finds it. It may be
deleted at any time, and is deleted once the training has ended.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.core.files import remove_strays, whole_file

FOLDER = "models/.resume"


@dataclass(frozen=True)
class Resume:
    """The file that one training is resumed from."""

    path: Path

    def load(self) -> dict[str, Any] | None:
        """Return the state of the last whole epoch, None without one."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`, tensors and plain values, whole."""
        with whole_file(self.path) as temporary:
            torch.save(state, temporary)

    def remove(self) -> None:
        """Delete the file and what killed runs left of it."""
        remove_strays(self.path)
        self.path.unlink(missing_ok=True)


def resume_of(root: Path, variant: str, decides: dict[str, Any]) -> Resume:
    """Return where the training of `variant` is resumed from; `decides` is all that its result depends on."""
    text = json.dumps(decides | {"torch": torch.__version__}, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Resume(Path(os.environ.get("DVC_ROOT") or root) / FOLDER / f"{variant}-{digest}.pt")
