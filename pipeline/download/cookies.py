"""The user's own cookies.txt: read once, never written.

yt-dlp writes its jar back where it read it, so each client gets a copy in memory.
"""

import io
from http.cookiejar import LoadError
from pathlib import Path

from yt_dlp.cookies import YoutubeDLCookieJar

from pipeline.core.errors import ParamsError

ADVICE = "name a cookies.txt (Netscape format) that you exported from your browser, or null"


def read_cookies(root: Path, name: str | None) -> str | None:
    """Return the text of the file `name`, below `root` unless absolute; raise `ParamsError` when it has no cookie."""
    if name is None:
        return None
    path = root / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        jar = YoutubeDLCookieJar(io.StringIO(text))
        jar.load()
    except OSError as error:
        # LoadError is an OSError without a number.
        what = "is no cookies.txt" if isinstance(error, LoadError) else f"cannot be read ({error.strerror})"
        raise ParamsError(f"download.cookies: {path} {what}", ADVICE) from None
    except UnicodeDecodeError:
        raise ParamsError(f"download.cookies: {path} is no cookies.txt", ADVICE) from None
    if not len(jar):
        raise ParamsError(f"download.cookies: {path} holds no cookie", ADVICE)
    return text
