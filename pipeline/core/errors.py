"""Errors that a user can cause and fix.

    PipelineError
    ├── ParamsError        params.yaml: a key that is unknown, missing, mistyped or inconsistent
    ├── CorpusError        meta.json: an invalid film
    ├── MissingFileError   a file of an earlier stage is missing
    ├── StageError         too few items of a stage succeeded
    └── ModelError         a model does not match its features
        └── HubError       a model of the Hugging Face hub is not available

A problem with one film or recording is a row with `status` and `reason`, not an exception. A message has the key or
file, the value found, the values allowed, and the next command.
"""

from pathlib import Path


class PipelineError(Exception):
    """Base class: a stage prints the message without a traceback and exits with 1.

    `found` is the problem; `remedy` the fix, if kept separate.
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
    """A stage cannot continue."""


class ModelError(PipelineError):
    """A model cannot be built, read or applied to these features."""


class HubError(ModelError):
    """A model cannot be downloaded from, or uploaded to, the Hugging Face hub."""


def disk_error(error: OSError, path: Path, command: str) -> StageError:
    """Return the error of `command` for a full or failing disk, at `path` unless `error` has a file name."""
    name = command.split()[-1]
    return StageError(
        f"{name}: {error.filename or path}: {error.strerror or error}; fix the cause and run `{command}` again "
        "to resume"
    )
