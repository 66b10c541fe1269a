"""Checks whether the encoders of params.yaml are installed, cached, or available from the Hugging Face hub."""

from collections.abc import Callable
from pathlib import Path

from pipeline.apps.doctor.report import INSTALL, Check, missing, ok
from pipeline.encoders.section import LOG_MEL, AudioFeatures, ImageFeatures, TextFeatures, is_log_mel

HUB_SECONDS = 4.0  # to wait for an answer
# Files that loading reads: groups of alternatives.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
NEEDED = (("config.json",), WEIGHTS)
EXTRACTOR = (("preprocessor_config.json", "processor_config.json"),)  # for images and audio
TOKENS = (("tokenizer.json", "vocab.txt", "tokenizer.model", "spiece.model", "vocab.json", "sentencepiece.bpe.model"),)

Files = tuple[tuple[str, ...], ...]


class _UnreachableError(Exception):
    pass


def check_audio_encoder(params: AudioFeatures) -> Check:
    """The audio encoder: log-mel, or a pretrained model."""
    return _check("audio encoder", "audio", params.encoder, NEEDED + EXTRACTOR)


def check_image_encoder(params: ImageFeatures) -> Check:
    """The image encoder."""
    return _check("image encoder", "image", params.encoder, NEEDED + EXTRACTOR)


def check_text_encoder(params: TextFeatures) -> Check:
    """The text encoder."""
    return _check("text encoder", "text", params.encoder, NEEDED + TOKENS)


def _check(what: str, kind: str, encoder: str, files: Files) -> Check:
    disables = f"features@{kind}, and all models trained on it"
    try:
        packaged = _packaged(kind)
        from pipeline.encoders.source import packaged_path
    except (ImportError, OSError) as error:
        return missing(what, f"{encoder}: cannot be loaded: {error}", disables, INSTALL)
    instead = f"set features.{kind}.encoder in params.yaml, e.g. to {next(iter(packaged), LOG_MEL)}"
    if kind == "audio" and is_log_mel(encoder):
        return ok(what, f"{encoder}: computed here, no model needed")
    if Path(encoder).is_dir():
        if lacks := _lacking(files, lambda name: (Path(encoder) / name).is_file()):
            return missing(what, f"the folder {encoder} lacks {lacks}", disables, instead)
        return ok(what, f"{encoder}: a folder")
    if encoder in packaged:
        try:
            packaged_path(*packaged[encoder])
        except FileNotFoundError as error:
            return missing(what, f"{encoder}: {error}", disables, INSTALL)
        return ok(what, f"{encoder}: in the package {packaged[encoder][0]}")
    return _check_hub(what, encoder, files, disables, instead)


def _check_hub(what: str, encoder: str, files: Files, disables: str, instead: str) -> Check:
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        if not _lacking(files, lambda name: isinstance(try_to_load_from_cache(encoder, name), str)):
            return ok(what, f"{encoder}: in the cache of the Hugging Face hub")
        lacks = _lacking(files, lambda name: _is_on_hub(encoder, name))
    except HFValidationError:
        return missing(what, f"{encoder}: not a package, a folder or a name on the hub", disables, instead)
    except _UnreachableError as error:
        remedy = f"download it once with a network connection ({constants.ENDPOINT}), or {instead}"
        return missing(what, f"{encoder}: not in the cache, and {error}", disables, remedy)
    if lacks:
        return missing(what, f"{encoder}: not on the hub, or without {lacks}", disables, instead)
    return ok(what, f"{encoder}: on the Hugging Face hub, downloaded at the first run")


def _packaged(kind: str) -> dict[str, tuple[str, str]]:
    """Return the encoders of a kind that are in packages; the import shows that their loader works."""
    if kind == "audio":
        from pipeline.encoders.audio import PACKAGED
    elif kind == "image":
        from pipeline.encoders.image import PACKAGED
    else:
        from pipeline.encoders.text import PACKAGED
    return PACKAGED


def _lacking(files: Files, has: Callable[[str], bool]) -> str:
    """Return the first name of each group without a file, joined; "" if none is missing."""
    return ", ".join(names[0] for names in files if not any(map(has, names)))


def _is_on_hub(encoder: str, name: str) -> bool:
    """Return whether the hub has a file for the signed-in user; raise `_UnreachableError` if that is unknown."""
    import requests
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    if constants.is_offline_mode():
        raise _UnreachableError("HF_HUB_OFFLINE disables the hub")
    try:
        answer = requests.head(hf_hub_url(encoder, name), headers=build_hf_headers(), timeout=HUB_SECONDS)
    except requests.RequestException as error:
        raise _UnreachableError(f"the hub cannot be reached ({type(error).__name__})") from None
    if answer.status_code == 403 or answer.headers.get("X-Error-Code") == "GatedRepo":
        raise _UnreachableError("it is gated: sign in and request access")
    if answer.status_code in (401, 404):  # 401: the model does not exist, or access is denied
        return False
    if not answer.ok:
        raise _UnreachableError(f"the hub returned HTTP {answer.status_code}")
    return True
