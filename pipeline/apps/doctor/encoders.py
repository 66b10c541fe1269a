"""Whether the encoders of params.yaml are here, or can be had from the Hugging Face hub."""

from collections.abc import Callable
from pathlib import Path

from pipeline.apps.doctor.report import INSTALL, Check, missing, ok
from pipeline.encoders.section import LOG_MEL, AudioFeatures, ImageFeatures, TextFeatures, is_log_mel

HUB_SECONDS = 4.0  # to wait for an answer
# What loading reads, by what serves instead of what.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
NEEDED = (("config.json",), WEIGHTS)
EXTRACTOR = (("preprocessor_config.json", "processor_config.json"),)  # of pictures and of sound
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
    disables = f"features@{kind}, and all that is trained on it"
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
        return missing(what, f"{encoder}: no package, no folder and no name of the hub", disables, instead)
    except _UnreachableError as error:
        remedy = f"download it once on a network ({constants.ENDPOINT}), or {instead}"
        return missing(what, f"{encoder}: not in the hub's cache, and {error}", disables, remedy)
    if lacks:
        return missing(what, f"{encoder}: the hub has no such model, or not its {lacks}", disables, instead)
    return ok(what, f"{encoder}: on the Hugging Face hub, downloaded at the first run")


def _packaged(kind: str) -> dict[str, tuple[str, str]]:
    """Return the encoders of a kind that come in packages; importing what loads them shows that it can be."""
    if kind == "audio":
        from pipeline.encoders.audio import PACKAGED
    elif kind == "image":
        from pipeline.encoders.image import PACKAGED
    else:
        from pipeline.encoders.text import PACKAGED
    return PACKAGED


def _lacking(files: Files, has: Callable[[str], bool]) -> str:
    """Return the first file of each alternative of which there is none, joined; "" when all is there."""
    return ", ".join(names[0] for names in files if not any(map(has, names)))


def _is_on_hub(encoder: str, name: str) -> bool:
    """Ask the hub whether it has a file, as who is signed in; raise `_UnreachableError` when it does not say."""
    import requests
    from huggingface_hub import constants, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    if constants.is_offline_mode():
        raise _UnreachableError("HF_HUB_OFFLINE forbids asking the hub")
    try:
        answer = requests.head(hf_hub_url(encoder, name), headers=build_hf_headers(), timeout=HUB_SECONDS)
    except requests.RequestException as error:
        raise _UnreachableError(f"the hub is not reached ({type(error).__name__})") from None
    if answer.status_code == 403 or answer.headers.get("X-Error-Code") == "GatedRepo":
        raise _UnreachableError("its owner gives it only to those who are signed in and have asked")
    if answer.status_code in (401, 404):  # 401: a model that does not exist, or not for us
        return False
    if not answer.ok:
        raise _UnreachableError(f"the hub answers {answer.status_code}")
    return True
