"""Checks for recordings: yt-dlp, a JavaScript runtime for YouTube, FFmpeg's libraries, and the cookies file."""

from pathlib import Path
from typing import Literal

from pipeline.apps.doctor.report import INSTALL, Check, missing, ok, warning
from pipeline.core.errors import ParamsError

SAFE_YT_DLP = (2026, 7, 4)  # older versions have known vulnerabilities
DECODERS = ("mp3", "aac", "opus", "vorbis")
ENCODERS = ("flac",)
WRITTEN = ("mp3", "flac", "ogg")  # by LAME, FFmpeg and libsndfile


def check_yt_dlp() -> Check:
    """yt-dlp's version."""
    try:
        from yt_dlp.version import __version__ as found
    except ImportError as error:
        return missing("yt-dlp", str(error), "download", INSTALL)
    floor = ".".join(f"{part:02d}" for part in SAFE_YT_DLP)
    if tuple(int(part) for part in found.split(".")[:3] if part.isdecimal()) < SAFE_YT_DLP:
        return warning("yt-dlp", found, f"security: versions before {floor} have known vulnerabilities", INSTALL)
    return ok("yt-dlp", f"{found} (safe from {floor} on)")


def check_javascript(asks_youtube: bool) -> Check:
    """The JavaScript runtime found by yt-dlp, and its scripts for YouTube's player."""
    what = "JavaScript"
    disables = "nothing: this corpus has no YouTube videos"
    if asks_youtube:
        disables = "many YouTube videos: few formats are available without it, or none"
    try:
        from yt_dlp import YoutubeDL
        from yt_dlp.dependencies import yt_dlp_ejs

        with YoutubeDL({"quiet": True, "no_warnings": True}) as downloader:
            runtimes = [runtime.info for runtime in downloader._js_runtimes.values() if runtime and runtime.info]
    except (
        ImportError,
        AttributeError,
    ) as error:  # AttributeError: private in yt-dlp, may change
        return warning(what, f"unknown: {error}", disables, INSTALL)
    usable = [f"{runtime.name} {runtime.version}" for runtime in runtimes if runtime.supported]
    if not usable:
        old = "".join(f"; {runtime.name} {runtime.version} is too old" for runtime in runtimes)
        return warning(what, f"no runtime{old}", disables, "`pip install deno` (in requirements.txt)")
    if not yt_dlp_ejs:
        return warning(what, f"{', '.join(usable)}, but no yt-dlp-ejs", disables, INSTALL)
    return ok(what, f"{', '.join(usable)}, yt-dlp-ejs {yt_dlp_ejs.version}")


def check_ffmpeg() -> Check:
    """FFmpeg's libraries inside PyAV, LAME and libsndfile, with the codecs of recordings and segments."""
    try:
        import av
        import lameenc  # noqa: F401
        import soundfile  # noqa: F401
        from av.codec.codec import UnknownCodecError
    except (ImportError, OSError) as error:
        return missing("FFmpeg", str(error), "download, segment and compare", INSTALL)

    def has(name: str, mode: Literal["r", "w"]) -> bool:
        try:
            av.Codec(name, mode)
        except UnknownCodecError:
            return False
        return True

    lacks = [f"decoder {name}" for name in DECODERS if not has(name, "r")]
    lacks += [f"encoder {name}" for name in ENCODERS if not has(name, "w")]
    build = f"{av.ffmpeg_version_info} in PyAV {av.__version__}"
    if lacks:
        return missing("FFmpeg", f"{build}, without {', '.join(lacks)}", "recordings in these formats", INSTALL)
    return ok("FFmpeg", f"{build}: reads {', '.join(DECODERS)}; writes {', '.join(WRITTEN)}")


def check_cookies(root: Path, cookies: str) -> Check:
    """The file of download.cookies."""
    try:
        from pipeline.download.cookies import read_cookies

        read_cookies(root, cookies)
    except ImportError as error:
        return missing("cookies", str(error), "download", INSTALL)
    except ParamsError as error:
        return missing("cookies", error.found, "download", error.remedy)
    return ok("cookies", f"{cookies}, readable by yt-dlp")
