"""The errors that a user can cause, and mend.

    PipelineError
    ├── ParamsError        params.yaml: a key that is unknown, missing, mistyped or at odds with another
    ├── CorpusError        meta.json: a film that cannot be read as one
    ├── MissingFileError   a file of an earlier stage is not there
    ├── StageError         too few items of a stage succeeded, or none is left
    └── ModelError         a model and its features do not fit
        └── HubError       a model of the Hugging Face hub cannot be had

Trouble with one film or one recording is a row with `status` and `reason`, not an exception. A message names the key or
file, the value found, the values allowed, and what to do next.
"""

from pathlib import Path


class PipelineError(Exception):
    """Base class: a stage prints the message without a traceback and exits with 1.

    `found` says what is wrong; `remedy` what to do about it, where that is kept apart.
    """

    def __init__(self, found: str = "", remedy: str = "") -> None:
        super().__init__(f"{found}; {remedy}" if remedy else found)
        self.found = found
        self.remedy = remedy


class ParamsError(PipelineError):
    """`params.yaml` is not valid."""


class CorpusError(PipelineError):
    """The corpus's `meta.json` is not valid."""


class MissingFileError(PipelineError):
    """A file that an earlier stage writes is missing or damaged."""


class StageError(PipelineError):
    """A stage has too little to go on with."""


class ModelError(PipelineError):
    """A model cannot be built, read or applied to these features."""


class HubError(ModelError):
    """A model of the Hugging Face hub cannot be had, or not be put there."""


def disk_error(error: OSError, path: Path, command: str) -> StageError:
    """Return what a full disk, or one that refuses, means to `command`: at `path`, unless the error names a file."""
    name = command.split()[-1]
    return StageError(
        f"{name}: {error.filename or path}: {error.strerror or error}; mend that and run `{command}` again, "
        "what is done is kept"
    )
