"""The plot of an article: its plot section, one line per paragraph, item, definition or quotation.

Notices, tables, captions, navigation and references are excluded. Subsections are included, except those on other
topics, such as a cast. The markup of headings has four forms; all are recognised by the words of the heading, because
ids and classes changed over the years:

    <h2><span class="mw-headline" id="Plot">Plot</span></h2> <p>…        until 2024
    <div class="mw-heading mw-heading2"><h2 id="Plot">Plot</h2></div> <p>…   from 2024
    <section><h2 id="Plot">Plot</h2> <p>… <section><h3>…                 Parsoid
    <div><h2>Plot</h2></div> <section><p>…                               the mobile site

Headings have ranks: words for a plot, words for a story, and words that mean a plot only if the others are missing.
Within a rank, a full plot takes precedence over a teaser of one paragraph. The plots of a film in parts are joined.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.media.pages import Element
from pipeline.parse.tree import is_unseen, lines_of, text_of

PLOT_WORDS = frozenset(
    {"plot", "plots", "plot summary", "plot summaries", "plot synopsis", "plot outline", "plot overview", "plotline"}
    | {"plot details", "plot detail", "plot description", "plot introduction", "plot line", "full plot", "film plot"}
    | {"detailed plot", "detailed plot summary", "movie plot", "summary of the plot", "summary of plot"}
    | {"plot of the film", "synopsis", "synopses", "detailed synopsis", "full synopsis", "brief synopsis"}
    | {"short synopsis", "film synopsis", "movie synopsis", "synopsis of the film", "film summary", "movie summary"}
    | {"story summary", "story synopsis"}
)
STORY_WORDS = frozenset(
    {"premise", "story", "stories", "storyline", "storylines", "story line", "story lines", "story outline"}
    | {"narrative", "summary", "outline"}
)
OTHER_WORDS = ("segments", "vignettes", "episodes", "content", "overview")  # best first
TEASER = 300  # a section of one line with fewer characters is a teaser
FULL = 3  # and a longer one if another section is this many times as long
FILLERS = frozenset({"", "film", "movie", "spoiler", "spoilers", "contains spoilers", "spoiler warning"})
ORDINALS = "first|second|third|fourth|fifth|last|final"
NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|[0-9]{1,2}|[ivx]{1,4}"
PARTS = r"part|volume|vol\.?|chapter|segment|episode|act|book|film|half"
PART = re.compile(rf"\b(?:(?:{PARTS}) (?:{NUMBERS})|(?:{ORDINALS}) (?:{PARTS}))\b")
WORD = re.compile(r"[\w-]+")
SEPARATORS = re.compile(r"[/&,:;()\[\]–—|]| - |\band\b|\bor\b")
LINKS = re.compile(r"^(?:(?:of|for|in|the|a) )+|(?: (?:of|for|in|the))+$")
OTHER_WORKS = frozenset(  # words of a heading whose subsection `Plot` or `Story` is not the film's
    {"sequel", "sequels", "prequel", "remake", "remakes", "novel", "novels", "novelization", "novelisation"}
    | {"book", "books", "comic", "comics", "manga", "game", "games", "video", "television", "tv", "series"}
    | {"adaptation", "adaptations", "spin-off", "spin-offs", "spinoff", "musical", "stage", "play", "radio"}
    | {"opera", "soundtrack", "music", "production", "development", "writing", "script", "screenplay"}
    | {"conception", "background", "origins", "reception", "reviews", "response", "release", "legacy", "themes"}
    | {"theme", "analysis", "interpretation", "interpretations", "history", "historical", "accuracy", "versions"}
    | {"differences", "comparison", "deleted", "alternate", "alternative", "cast", "characters", "awards"}
    | {"accolades", "marketing", "promotion", "merchandise", "parody", "parodies", "inspiration", "influences"}
    | {"style", "home", "media", "unmade", "cancelled", "planned", "proposed"}
)
OTHER_MATTERS = frozenset(  # subsections of a plot section that are not part of the plot
    {"cast", "main cast", "principal cast", "full cast", "supporting cast", "voice cast", "starring", "crew", "credits"}
    | {"characters", "main characters", "cast and characters", "characters and cast", "list of characters", "staff"}
    | {"production", "development", "reception", "release", "soundtrack", "music", "songs", "awards", "box office"}
    | {"notes", "footnotes", "references", "sources", "citations", "see also", "external links", "further reading"}
    | {"trivia", "gallery", "home media", "navigation menu", "contents"}
)
NOTICE = re.compile(r"(?:Main articles?|Main pages?|See also|Further information|Spoiler warning)\s*:", re.IGNORECASE)
NOTICE_LENGTH = 200  # characters of the longest notice
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NOT_PLAIN = frozenset(  # classes of boxes whose text belongs to something else
    {"ambox", "tmbox", "ombox", "mbox", "mbox-small", "metadata", "hatnote", "dablink", "rellink", "noprint", "stub"}
    | {"noexcerpt", "shortdescription", "toc", "catlinks", "printfooter", "reflist", "references", "refbegin", "asbox"}
    | {"mw-references-wrap", "thumb", "thumbinner", "thumbcaption", "tmulti", "gallery", "gallerybox", "gallerytext"}
    | {"quotebox", "cquote", "templatequotecite", "infobox", "sidebar", "side-box", "navbox", "navbox-styles", "hlist"}
    | {"vertical-navbox", "navigation-not-searchable", "sistersitebox", "portalbox", "portal-bar", "listenlist"}
    | {"mediaContainer", "succession-box", "mw-empty-elt", "magnify"}
)
NOT_PLAIN_IDS = frozenset(
    {"toc", "catlinks", "mw-normal-catlinks", "mw-hidden-catlinks", "footer", "mw-navigation", "siteSub"}
)
OF_TEXT = frozenset({"poem", "div-col", "columns", "multicol", "columns-list", "plainlist", "templatequote", "center"})
NOT_THE_PLOT = frozenset(  # elements whose text belongs to something else
    {"table", "nav", "header", "footer", "aside", "form", "button", "select", "textarea", "iframe", "object", "svg"}
)
EDIT = "[edit]"
CANDIDATES = 12  # sections tried: a limit for repetitive pages
WRAPPERS = 3  # boxes around a heading: a limit for nested pages
PART_RANK = 2 + len(OTHER_WORDS)  # of a heading with only a part's name
LAST = PART_RANK + 1  # of the plot of another work


@dataclass(frozen=True)
class _Candidate:
    """A heading of a possible plot section."""

    heading: Element
    rank: int  # 0 is best
    words: str  # without the number of a part
    above: int  # the number of its parent heading


def find_plot(tree: Element) -> str:
    """Return the lines of the best plot section, joined by newlines; "" if there is none with text."""
    found = list(_candidates(tree))
    for rank, level in sorted({(candidate.rank, candidate.heading.tag) for candidate in found}):
        alike = [one for one in found if (one.rank, one.heading.tag) == (rank, level)][:CANDIDATES]
        if lines := _joined(alike):
            return "\n".join(lines)
    return ""


def _candidates(tree: Element) -> Iterator[_Candidate]:
    """Yield the headings of possible plot sections, in document order.

    A heading below one on another topic, such as `Sequel` or `Production`, has the last rank, and is included only if
    its words can only mean a plot.
    """
    above: list[tuple[str, int, bool]] = []  # level, number, and whether of another work, of open headings
    for number, heading in enumerate(tree.iter(*HEADINGS)):
        if next(heading.iterdescendants(*HEADINGS), None) is not None:
            continue
        words = _words(heading)
        while above and above[-1][0] >= heading.tag:
            above.pop()
        parent, elsewhere = (above[-1][1], above[-1][2]) if above else (-1, False)
        above.append((heading.tag, number, elsewhere or (heading.tag != "h1" and _is_of_another_work(words))))
        rank, word = _rank(words)
        if rank is not None and heading.tag in ("h2", "h3", "h4") and not (elsewhere and rank > 0):
            yield _Candidate(heading, LAST if elsewhere else rank, word, parent)


def _rank(words: str) -> tuple[int | None, str]:
    """Return the rank of a heading, None if it is not of a plot, and its words without the number of a part."""
    rest = PART.sub("/", words)
    pieces = [LINKS.sub("", piece.strip(" .!-")) for piece in SEPARATORS.split(rest)]
    named = [piece for piece in pieces if piece not in FILLERS]
    ranks = [_rank_of_words(piece) for piece in named]
    known = [rank for rank in ranks if rank is not None]
    if named and len(known) == len(named):
        return min(known), named[ranks.index(min(known))]
    if PART.match(words):  # `Part one: The Flood`
        return PART_RANK, ""
    return None, ""


def _rank_of_words(words: str) -> int | None:
    if words in PLOT_WORDS:
        return 0
    if words in STORY_WORDS:
        return 1
    return 2 + OTHER_WORDS.index(words) if words in OTHER_WORDS else None


def _is_of_another_work(words: str) -> bool:
    if PART.search(words) or _rank(words)[0] is not None:
        return False
    return not OTHER_WORKS.isdisjoint(WORD.findall(words))


def _joined(candidates: list[_Candidate]) -> list[str]:
    """Return the lines of the candidates: for each parent heading those of the best words."""
    texts = [(candidate, _lines(candidate.heading)) for candidate in candidates]
    lines: list[str] = []
    for parent in dict.fromkeys(candidate.above for candidate in candidates):
        by_words: dict[str, list[str]] = {}
        for candidate, section in texts:
            if candidate.above == parent:
                before = by_words.setdefault(candidate.words, [])
                before += [] if section == before[-len(section) :] else section
        lines += _best(by_words)
        if candidates[0].rank == LAST and lines:
            break  # other works may have plots too
    return lines


def _best(sections: dict[str, list[str]]) -> list[str]:
    """Return the best section by the words of its heading: not a teaser, then with `plot`, then the longest."""
    lengths = {words: sum(map(len, section)) for words, section in sections.items()}
    longest = max(lengths.values())

    def merit(words: str) -> tuple[bool, bool, int]:
        length = lengths[words]
        is_teaser = len(sections[words]) < 2 and (length < TEASER or length * FULL < longest)
        return not is_teaser, length > 0 and "plot" in words, length

    return sections[max(sections, key=merit)]


def _words(heading: Element) -> str:
    headline = next((span for span in heading.iter("span") if "mw-headline" in span.get("class", "").split()), heading)
    text = text_of(headline).lower()
    return text.removeprefix(EDIT).removesuffix(EDIT).strip(" :.")


def _lines(heading: Element) -> list[str]:
    """Return the lines from `heading` to the next heading of its level or above.

    Plain boxes are included if they contain most of the section's text.
    """
    left_out = _LeftOut(with_boxes=False)
    outside = [*_told(heading, left_out)]
    if not left_out.boxes:
        return outside
    everywhere = [*_told(heading, _LeftOut(with_boxes=True))]
    return everywhere if 2 * sum(map(len, outside)) < sum(map(len, everywhere)) else outside


def _told(heading: Element, left_out: "_LeftOut") -> Iterator[str]:
    for line in lines_of(_content(heading), left_out):
        is_notice = len(line) <= NOTICE_LENGTH and NOTICE.match(line)
        if left_out.muted is None and not is_notice and any(map(str.isalnum, line)):
            yield line


class _LeftOut:
    """Decides which elements are not part of a plot.

    `muted` is the level of the current sub-heading on another topic, None in the plot itself; `boxes` is the number of
    excluded plain boxes.
    """

    def __init__(self, with_boxes: bool) -> None:
        self.muted: str | None = None
        self.boxes = 0
        self._with_boxes = with_boxes

    def __call__(self, element: Element) -> bool:
        tag = element.tag
        if tag in HEADINGS:
            if self.muted is None or tag <= self.muted:
                self.muted = tag if _words(element) in OTHER_MATTERS else None
            return True
        if tag in NOT_THE_PLOT or is_unseen(element) or not _plain(element):
            return True
        if tag == "dl":
            return next(element.iter("dd"), None) is None  # a term alone is a sub-heading
        if tag != "div" or self._with_boxes or not OF_TEXT.isdisjoint(element.get("class", "").split()):
            return False
        if next(element.iterchildren(*HEADINGS), None) is not None:
            return False  # the wrapper of a sub-heading
        self.boxes += 1
        return True


def _content(heading: Element) -> Iterator[Element | str]:
    """Yield the elements from `heading` to the next one of its level or above, and the text between them."""
    start = heading
    for above in islice(heading.iterancestors(), WRAPPERS):
        if above.tag != "div" or next(above.iter("p", "ul", "ol", "dl", "blockquote"), None) is not None:
            break
        if any(map(str.isalnum, "".join([above.text or "", *(child.tail or "" for child in above)]))):
            break
        start = above  # the wrapper of a heading contains nothing else
    yield start.tail or ""
    for sibling in start.itersiblings():
        if _ends(sibling, heading.tag):
            return
        yield sibling
        yield sibling.tail or ""


def _ends(element: Element, level: str) -> bool:
    if element.tag in HEADINGS:
        return element.tag <= level
    if element.tag not in ("div", "section") or not _plain(element):
        return False
    first = next(element.iter(*HEADINGS), None)
    return first is not None and first.tag <= level


def _plain(box: Element) -> bool:
    return (
        NOT_PLAIN.isdisjoint(box.get("class", "").split())
        and box.get("role") not in ("note", "navigation", "presentation", "search", "complementary")
        and box.get("id") not in NOT_PLAIN_IDS
    )
