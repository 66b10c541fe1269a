"""The corpus: whether it loads and is served, whom its sites may write to, and room for what it makes."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.apps.corpus.estimate import SEARCH, YOUTUBE, estimate
from pipeline.apps.doctor.report import INSTALL, Check, missing, ok, warning
from pipeline.core.errors import CorpusError, ParamsError
from pipeline.corpus import ORIGIN, Film, load_films
from pipeline.corpus.layout import reference_layout
from pipeline.corpus.section import Corpus
from pipeline.corpus.site import site_folder
from pipeline.encoders.section import LogMelFeatures
from pipeline.params import Params

# Bytes in all for one that the corpus serves. The embedded 25 MB, of low bit rate, make 190 MB of data and models;
# audio in the reference's layout is copied, cut at about that bit rate, and gets spectrograms of a third of its size.
MADE_OF_SITE, MADE_OF_LAYOUT = 10, 3
FRAME_BYTES = {"float16": 2, "uint8": 1}
COPIES = 2  # of a spectrogram: in the table, and laid out for training
FETCHED = ("pages", "posters", "downloads", "audio", "features")  # folders of data/ that the estimate counts
GB = 1e9


def load_corpus(root: Path, corpus: Corpus) -> tuple[Check, list[Film] | None]:
    """Return the line on the corpus, and its films when it loads."""
    folder = root / corpus.folder
    remedy = "let corpus.folder name a corpus, or mend the list: `python -m pipeline corpus check`"
    try:
        films = load_films(folder, corpus.search, corpus.fields)
        site = site_folder(folder, corpus.serve)
        served = [url for film in films for url in (*_asked(film), *film.soundtrack) if url.startswith(ORIGIN)]
        if served and site is None:
            remedy = "set corpus.serve in params.yaml to the folder that holds it, e.g. site"
            raise CorpusError(f"{served[0]} leads to the corpus's own site, and corpus.serve names none")
    except CorpusError as error:
        first, *others = str(error).splitlines()
        found = first + (f" (and {len(others)} more)" if others else "")
        return missing("corpus", found, "everything", remedy), None
    recordings = sum(len(film.soundtrack) for film in films)
    return ok("corpus", f"{corpus.folder}: {len(films):,} films, {recordings:,} recordings and searches"), films


def check_contact(corpus: Corpus, films: list[Film] | None) -> Check:
    """The operator's contact, which Wikimedia's sites ask for."""
    try:
        from pipeline.scrape.agent import ADVICE, CONTACT_VARIABLE, operator_contact, require_contact
    except ImportError as error:
        return missing("contact", str(error), "scrape", INSTALL)
    try:
        contact = operator_contact(corpus)
    except ParamsError as error:
        return missing("contact", str(error), "scrape", f"mend corpus.contact or {CONTACT_VARIABLE}")
    if contact is not None:
        by_variable = os.environ.get(CONTACT_VARIABLE, "").strip()
        return ok("contact", f"set by {CONTACT_VARIABLE}" if by_variable else "set in params.yaml")
    if films is None:
        return warning("contact", "not set; whether it is needed shows when the corpus loads", "", "")
    try:
        require_contact((url for film in films for url in _asked(film)), None)
    except ParamsError:
        return missing("contact", "not set, and films are on Wikimedia's sites", "scrape", ADVICE)
    return ok("contact", "not set; no film is on Wikimedia's sites")


def check_disk(root: Path, params: Params, films: list[Film] | None) -> Check:
    """Free disk against what the corpus still takes."""
    free = shutil.disk_usage(root).free
    if films is None:
        return warning("disk", f"{free / GB:,.1f} GB free; what is needed shows when the corpus loads", "", "")
    needed = max(0, needed_bytes(root, params, films) - sum(_size(root / "data" / name) for name in FETCHED))
    found = f"{free / GB:,.1f} GB free, about {needed / GB:,.1f} GB needed"
    remedy = "free some, move the repository, or shorten the list"
    if free < needed:
        return missing("disk", found, "download and segment: the disk fills up", remedy)
    if free < 2 * needed:
        return warning("disk", found, "a safe margin: the estimate is right within a factor of two", remedy)
    return ok("disk", found)


def needed_bytes(root: Path, params: Params, films: list[Film]) -> int:
    """Return what all stages make of `films`: pages, posters, recordings, segments and spectrograms."""
    web = estimate(films, params.scrape, params.download)
    audio = params.features.audio
    spectrogram = 0.0  # bytes per second; vectors are small beside it
    if isinstance(audio, LogMelFeatures):
        spectrogram = COPIES * audio.sample_rate / audio.hop_length * audio.n_mels * FRAME_BYTES[audio.dtype]
    folder = root / params.corpus.folder
    site = site_folder(folder, params.corpus.serve)
    served = _size(site) * (MADE_OF_LAYOUT if reference_layout(folder) else MADE_OF_SITE) if site else 0
    return round(web.bytes + web.audio_seconds * (params.segment.bit_rate / 8 + spectrogram) + served)


def asks_youtube(films: list[Film] | None) -> bool:
    """Say whether a soundtrack is a search or on YouTube; also when the films are not known."""
    return films is None or any(_is_youtube(url) for film in films for url in film.soundtrack)


def _is_youtube(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return bool(SEARCH.match(url)) or any(host == domain or host.endswith("." + domain) for domain in YOUTUBE)


def _asked(film: Film) -> list[str]:
    """Return what scraping asks for."""
    return [url for url in (film.wikipedia, film.image) if url]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
