"""The user's own cookies.txt: read once, never written.

yt-dlp writes its cookie jar back to the file, therefore each client has a copy in memory.
"""

import io
from http.cookiejar import LoadError
from pathlib import Path

from yt_dlp.cookies import YoutubeDLCookieJar

from pipeline.core.errors import ParamsError

ADVICE = "set it to a cookies.txt (Netscape format) exported from your browser, or to null"


def read_cookies(root: Path, name: str | None) -> str | None:
    """Return the text of the file `name`, relative to `root` or absolute; raise `ParamsError` if it has no cookies."""
    if name is None:
        return None
    path = root / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
        jar = YoutubeDLCookieJar(io.StringIO(text))
        jar.load()
    except OSError as error:
        # LoadError is an OSError without an errno.
        what = "is not a cookies.txt" if isinstance(error, LoadError) else f"cannot be read ({error.strerror})"
        raise ParamsError(f"download.cookies: {path} {what}", ADVICE) from None
    except UnicodeDecodeError:
        raise ParamsError(f"download.cookies: {path} is not a cookies.txt", ADVICE) from None
    if not len(jar):
        raise ParamsError(f"download.cookies: {path} contains no cookies", ADVICE)
    return text
