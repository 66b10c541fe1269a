"""Checks of the corpus: whether it loads and is served, its size, the contact for its sites, and disk space."""

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
from pipeline.split.few import few_test_films, too_few_films

# Bytes in total per byte that the corpus serves. The embedded 25 MB, of low bit rate, result in 190 MB of data and
# models; audio in the reference's layout is copied, cut at about its bit rate, with spectrograms of a third its size.
MADE_OF_SITE, MADE_OF_LAYOUT = 10, 3
FRAME_BYTES = {"float16": 2, "uint8": 1}
COPIES = 2  # of a spectrogram: in the table, and in the layout for training
FETCHED = ("pages", "posters", "downloads", "audio", "features")  # folders of data/ in the estimate
GB = 1e9


def load_corpus(root: Path, corpus: Corpus) -> tuple[Check, list[Film] | None]:
    """Return the check of the corpus, and its films if it loads."""
    folder = root / corpus.folder
    remedy = "set corpus.folder to a corpus, or fix the list: `python -m pipeline corpus check`"
    try:
        films = load_films(folder, corpus.search, corpus.fields)
        site = site_folder(folder, corpus.serve)
        served = [url for film in films for url in (*_asked(film), *film.soundtrack) if url.startswith(ORIGIN)]
        if served and site is None:
            remedy = "set corpus.serve in params.yaml to its folder, e.g. site"
            raise CorpusError(f"{served[0]} is on the corpus's own site, but corpus.serve is null")
    except CorpusError as error:
        first, *others = str(error).splitlines()
        found = first + (f" (and {len(others)} more)" if others else "")
        return missing("corpus", found, "everything", remedy), None
    recordings = sum(len(film.soundtrack) for film in films)
    return ok("corpus", f"{corpus.folder}: {len(films):,} films, {recordings:,} recordings and searches"), films


def check_films(params: Params, films: list[Film] | None) -> Check:
    """Whether the number of films allows a training, and a comparison of variants."""
    if films is None:
        return warning("films", "unknown: the corpus does not load", "", "")
    if line := too_few_films(len(films), params.split, params.variants):
        return missing("films", line, "split and train", "add films: `python -m pipeline corpus add URL`")
    if line := few_test_films(len(films), params.split):
        found, _, remedy = line.partition("; ")
        return warning("films", f"about {found}", "a comparison of variants", remedy)
    return ok("films", f"{len(films):,} films, about {len(films) * params.split.eval:.0f} of them in the test set")


def check_contact(corpus: Corpus, films: list[Film] | None) -> Check:
    """The operator's contact, which Wikimedia's sites require."""
    try:
        from pipeline.scrape.agent import ADVICE, CONTACT_VARIABLE, operator_contact, require_contact
    except ImportError as error:
        return missing("contact", str(error), "scrape", INSTALL)
    try:
        contact = operator_contact(corpus)
    except ParamsError as error:
        return missing("contact", str(error), "scrape", f"fix corpus.contact or {CONTACT_VARIABLE}")
    if contact is not None:
        by_variable = os.environ.get(CONTACT_VARIABLE, "").strip()
        return ok("contact", f"set by {CONTACT_VARIABLE}" if by_variable else "set in params.yaml")
    if films is None:
        return warning("contact", "not set; may be needed: the corpus does not load", "", "")
    try:
        require_contact((url for film in films for url in _asked(film)), None)
    except ParamsError:
        return missing("contact", "not set, but films are on Wikimedia's sites", "scrape", ADVICE)
    return ok("contact", "not set; no film is on Wikimedia's sites")


def check_disk(root: Path, params: Params, films: list[Film] | None) -> Check:
    """Free disk space against the remaining need of the corpus."""
    free = shutil.disk_usage(root).free
    if films is None:
        return warning("disk", f"{free / GB:,.1f} GB free; the need is unknown: the corpus does not load", "", "")
    needed = max(0, needed_bytes(root, params, films) - sum(_size(root / "data" / name) for name in FETCHED))
    found = f"{free / GB:,.1f} GB free, about {needed / GB:,.1f} GB needed"
    remedy = "free disk space, move the repository, or shorten the list"
    if free < needed:
        return missing("disk", found, "download and segment: the disk becomes full", remedy)
    if free < 2 * needed:
        return warning("disk", found, "a safe margin: the estimate is right within a factor of two", remedy)
    return ok("disk", found)


def needed_bytes(root: Path, params: Params, films: list[Film]) -> int:
    """Return the bytes that all stages write for `films`: pages, posters, recordings, segments and spectrograms."""
    web = estimate(films, params.scrape, params.download)
    audio = params.features.audio
    spectrogram = 0.0  # bytes per second; embeddings are small in comparison
    if isinstance(audio, LogMelFeatures):
        spectrogram = COPIES * audio.sample_rate / audio.hop_length * audio.n_mels * FRAME_BYTES[audio.dtype]
    folder = root / params.corpus.folder
    site = site_folder(folder, params.corpus.serve)
    served = _size(site) * (MADE_OF_LAYOUT if reference_layout(folder) else MADE_OF_SITE) if site else 0
    return round(web.bytes + web.audio_seconds * (params.segment.bit_rate / 8 + spectrogram) + served)


def asks_youtube(films: list[Film] | None) -> bool:
    """Return whether a soundtrack is a search or on YouTube; True if the films are not known."""
    return films is None or any(_is_youtube(url) for film in films for url in film.soundtrack)


def _is_youtube(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return bool(SEARCH.match(url)) or any(host == domain or host.endswith("." + domain) for domain in YOUTUBE)


def _asked(film: Film) -> list[str]:
    """Return the URLs that scraping requests."""
    return [url for url in (film.wikipedia, film.image) if url]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
