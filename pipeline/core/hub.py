"""Models of the Hugging Face hub: their addresses, their lists of files, and files in the hub's own cache.

An address is `hf://OWNER/REPO`, or `hf://OWNER/REPO@REVISION` with a branch, a tag or a commit. The hub is queried
first, to fetch newer and incomplete files; the cache is used if the hub cannot be reached. The hub's library reads
HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE and HF_TOKEN, and sends the token only to the hub.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import HubError
from pipeline.core.text import one_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SCHEME = "hf://"
HUB_SECONDS = 10.0  # timeout of the first answer
ANSWER_SECONDS = 60.0  # timeout of later answers; the hub's library has none
ERROR_CHARS = 200
REFUSED = {401: ": sign in with `hf auth login`, or set HF_TOKEN", 403: ": your token does not allow it"}


@dataclass(frozen=True)
class Address:
    """A model of the hub."""

    repository: str  # OWNER/REPO; a few old ones without owner
    revision: str | None = None  # branch, tag or commit; None: the main branch

    def __str__(self) -> str:
        return f"{SCHEME}{self.repository}{f'@{self.revision}' if self.revision else ''}"


def is_hub_address(text: str) -> bool:
    """Return whether `text` is intended as an address, valid or not."""
    return text.startswith(SCHEME)


def hub_address(text: str) -> Address:
    """Return the address in `text`; raise `HubError` if it is not the address of a model."""
    from huggingface_hub.errors import HfUriError
    from huggingface_hub.utils import parse_hf_uri

    wanted = f"the address of a model is {SCHEME}OWNER/REPO or {SCHEME}OWNER/REPO@REVISION"
    if not is_hub_address(text):
        raise HubError(f"found {text!r}", wanted)
    try:
        found = parse_hf_uri(text)
    except HfUriError:
        raise HubError(f"found {text!r}", wanted) from None
    if found.type != "model" or found.path_in_repo or ".." in (found.revision or ""):
        raise HubError(f"found {text!r}", wanted)
    return Address(found.id, found.revision)


def files_of(address: Address) -> dict[str, int]:
    """Return the size in bytes of each file of a model by its path; of cached files if the hub cannot be reached.

    Raises `HubError` if neither has the model.
    """
    try:
        with explained(address):
            found = hub().model_info(
                address.repository, revision=address.revision, files_metadata=True, timeout=HUB_SECONDS
            )
            return {file.rfilename: file.size or 0 for file in found.siblings or ()}
    except HubError:
        folder = _cached(address)
        if folder is None:
            raise
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def fetch(address: Address, names: Collection[str]) -> Path:
    """Return the folder of the hub's cache, named by the commit, with the files `names` of a model.

    Only these are downloaded. Raises `HubError` for a model or a file that neither the hub nor the cache has.
    """
    from huggingface_hub import snapshot_download

    patterns = [escape(name) for name in names]
    try:
        with explained(address):
            hub().model_info(address.repository, revision=address.revision, timeout=HUB_SECONDS)
            folder = Path(snapshot_download(address.repository, revision=address.revision, allow_patterns=patterns))
    except HubError:
        cached = _cached(address)
        if cached is None or not all((cached / name).is_file() for name in names):
            raise
        return cached
    lacking = [name for name in names if not (folder / name).is_file()]
    if lacking:
        raise HubError(f"{address} has no file {lacking[0]!r}")
    return folder


def hub() -> "HfApi":
    """Return the hub's client, with a timeout of ANSWER_SECONDS for each answer."""
    from huggingface_hub import HfApi, get_session

    hooks = get_session().event_hooks["request"]
    if _limit_time not in hooks:
        hooks.append(_limit_time)
    return HfApi()


@contextmanager
def explained(address: Address, failed: str = "is not in the hub's cache, and") -> Iterator[None]:
    """Raise exceptions of the hub's library in the block as `HubError`, except `ValueError` for an invalid name.

    `failed` begins the message if the hub cannot be queried.
    """
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        XetDownloadError,
    )

    try:
        yield
    except GatedRepoError:
        reason = "is gated: sign in (`hf auth login`) and request access from its owner"
    except RepositoryNotFoundError:
        reason = "is not a model of the Hugging Face hub, or it is private and you are not signed in (`hf auth login`)"
    except RevisionNotFoundError:
        reason = "is not a branch, tag or commit of that model"
    except OfflineModeIsEnabled:
        reason = f"{failed} HF_HUB_OFFLINE disables the hub"
    except HfHubHTTPError as error:
        status = error.response.status_code
        reason = f"{failed} the hub returned HTTP {status}{REFUSED.get(status, '')}"
    except (HTTPError, ConnectionError, LocalEntryNotFoundError) as error:  # HTTPError: of the HTTP client in use
        reason = f"{failed} the hub cannot be reached ({type(error).__name__})"
    except (XetDownloadError, RuntimeError) as error:  # of the transfer library
        reason = f"{failed} the transfer failed ({one_line(str(error), ERROR_CHARS)})"
    except OSError as error:
        reason = f"cannot be read or written: {error.filename or 'the cache of the hub'}: {error.strerror or error}"
    else:
        return
    raise HubError(f"{address} {reason}")


def _limit_time(request: Any) -> None:
    """Set a timeout for each step of a request of the hub's library that has none."""
    limits = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {step: ANSWER_SECONDS if limit is None else limit for step, limit in limits.items()}


def _cached(address: Address) -> Path | None:
    """Return the folder of the cache with files of a model, possibly not all; None if there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(address.repository, revision=address.revision, local_files_only=True))
    except IncompleteSnapshotError as error:
        return Path(error.snapshot_path)
    except LocalEntryNotFoundError:
        return None
