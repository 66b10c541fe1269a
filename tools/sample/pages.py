"""Generated encyclopaedia pages: a film record in the markup of today's English Wikipedia (skin Vector 2022).

This module chooses the content of a page and its form among those of real pages; the templates hold the markup.
Everything varies with the given random generator: equal arguments give equal pages. Statements come from the record
only, and no page shows its mood labels.
Conventions: a function named `*_html` returns safe markup, all other text is escaped by the templates; a plot
paragraph without its `sup.reference` marks is identical to the record.
"""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import page_text
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from numpy.random import Generator, default_rng
from page_text import chance, pick

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
EDITION_YEAR = 2026
THUMB_WIDTHS = (220, 250)
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
PLOT_HEADINGS = ("Plot",) * 7 + ("Synopsis", "Plot summary", "Premise", "Story")
POSTER_CAPTIONS = ("Poster", "Film poster", "Poster of the sample edition", "Poster drawn for this corpus")
HIDDEN_CATEGORIES = (
    "Articles with short description",
    "Short description matches Wikidata",
    "Short description is different from Wikidata",
    "Use mdy dates from April 2023",
    "Use dmy dates from March 2024",
    "Template film date with 1 release date",
    "Wikipedia articles needing clarification from May 2022",
    "All articles with unsourced statements",
    "Articles needing additional references from June 2021",
    "Articles with unsourced statements",
    "Wikipedia articles needing page number citations from July 2020",
)
LONG_PLOT_CATEGORY = "Wikipedia articles with plot summary needing attention from August 2025"
DISAMBIGUATION_HIDDEN = (
    "All article disambiguation pages",
    "All disambiguation pages",
    "Disambiguation pages with short descriptions",
    "Short description matches Wikidata",
)


def slug(title: str) -> str:
    return title.replace(" ", "_")


def wiki_path(title: str) -> str:
    return "/wiki/" + quote(slug(title), safe="()_,:;!*'/-.")


TEMPLATES.globals["wiki_path"] = wiki_path
TEMPLATES.globals["slug"] = slug


def link_html(title: str, text: str | None = None) -> Markup:
    return Markup('<a href="{}" title="{}">{}</a>').format(wiki_path(title), title, text or title)


class Citations:
    """The page's reference marks, all in one style, and the notes they lead to."""

    def __init__(self, rng: Generator):
        self.split_brackets = chance(rng, 0.7)
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self.uses: Counter[tuple[str, str]] = Counter()

    def mark_html(self, note: str) -> Markup:
        if note not in self.notes:
            self.notes.append(note)
        return self._sup_html("cite", str(self.notes.index(note) + 1))

    def remark_html(self, remark: str) -> Markup:
        self.remarks.append(remark)
        return self._sup_html("cite-remark", f"Note {len(self.remarks)}")

    def _sup_html(self, kind: str, label: str) -> Markup:
        key = label.rpartition(" ")[2]
        use = self.uses[kind, key]
        self.uses[kind, key] += 1
        left, right = "[", "]"
        if self.split_brackets:
            left, right = (Markup('<span class="cite-bracket">&#{};</span>').format(ord(sign)) for sign in "[]")
        return Markup('<sup id="{0}_ref-{1}-{5}" class="reference"><a href="#{0}_note-{1}">{2}{3}{4}</a></sup>').format(
            kind, key, left, label, right, use
        )


def article(film: dict, rng: Generator, poster_src: str | None, poster_size: tuple[int, int] | None) -> str:
    """A film's page. `film["trouble"]` may be "no_plot" or "no_poster": the page then lacks that part."""
    citations, trouble = Citations(rng), film.get("trouble")
    title = film["title"]
    name = page_text.bare_title(title)
    long_plot = chance(rng, 0.08)
    picture = None if trouble == "no_poster" or not poster_src else poster(rng, film, poster_src, poster_size)
    infobox = infobox_rows(film, rng, citations)
    lead = page_text.lead_html(film, rng, citations, link_html)
    sections = body_sections(film, rng, citations, long_plot)
    hidden = hidden_categories(rng) + ([LONG_PLOT_CATEGORY] if long_plot and trouble != "no_plot" else [])
    return TEMPLATES.get_template("article.html.j2").render(
        **frame(title, film["categories"], hidden, rng),
        name=name,
        film=film,
        picture=picture,
        infobox=infobox,
        lead=lead,
        sections=sections,
        hatnote=hatnote_html(film, rng),
        parsoid=chance(rng, 0.1),
        odd_ids=chance(rng, 0.3),
        short_description=f"{film['year']} film by {film['directors'][0]}",
        navbox=chance(rng, 0.3),
        contents=chance(rng, 0.5),
    )


def disambiguation(title: str, options: Sequence[str]) -> str:
    """The page of an ambiguous name, which links to the articles in `options`."""
    rng = default_rng(zlib.crc32(title.encode()))
    page = frame(title, ["Disambiguation pages"], list(DISAMBIGUATION_HIDDEN), rng)
    return TEMPLATES.get_template("disambiguation.html.j2").render(**page, options=options)


def frame(title: str, categories: list[str], hidden: list[str], rng: Generator) -> dict:
    """The common parts of pages: address, revision, edit date and categories."""
    revision, number = int(rng.integers(1_200_000_000, 1_390_000_000)), int(rng.integers(10_000, 60_000_000))
    settings = {
        "wgBreakFrames": False,
        "wgPageContentLanguage": "en",
        "wgNamespaceNumber": 0,
        "wgPageName": slug(title),
        "wgTitle": title,
        "wgCurRevisionId": revision,
        "wgRevisionId": revision,
        "wgArticleId": number,
        "wgIsArticle": True,
        "wgIsRedirect": False,
        "wgAction": "view",
        "wgUserName": None,
        "wgCategories": hidden + categories,
        "wgPageContentModel": "wikitext",
    }
    return {
        "title": title,
        "revision": revision,
        "edited": f"{rng.integers(1, 29)} {pick(rng, MONTHS)} {EDITION_YEAR}",
        "categories": categories,
        "hidden_categories": hidden,
        "rlconf": Markup(json.dumps(settings, separators=(",", ":")).replace("</", "<\\/")),
        "canonical": "https://en.wikipedia.org" + wiki_path(title),
    }


def hidden_categories(rng: Generator) -> list[str]:
    if chance(rng, 0.1):
        return []
    more = rng.choice(HIDDEN_CATEGORIES[2:], size=int(rng.integers(0, 4)), replace=False)
    return list(HIDDEN_CATEGORIES[:2]) + [str(category) for category in more]


def poster(rng: Generator, film: dict, src: str, size: tuple[int, int] | None) -> dict:
    """The infobox picture's attributes."""
    file_width, file_height = size or (THUMB_WIDTHS[0], round(THUMB_WIDTHS[0] * 1.5))
    width = min(pick(rng, THUMB_WIDTHS), file_width)
    return {
        "src": src,
        "file": "File:" + src.rsplit("/", 1)[-1].partition("?")[0],
        "width": width,
        "height": round(file_height * width / file_width),
        "file_width": file_width,
        "file_height": file_height,
        "srcset": f"{src} 2x" if chance(rng, 0.6) else None,
        "social": chance(rng, 0.5),
        "caption": pick(rng, POSTER_CAPTIONS) if chance(rng, 0.6) else None,
        "alt": pick(rng, ("", f"Poster of {page_text.bare_title(film['title'])}")),
    }


def hatnote_html(film: dict, rng: Generator) -> Markup | None:
    name = page_text.bare_title(film["title"])
    if name != film["title"] and chance(rng, 0.8):
        other = link_html(f"{name} (disambiguation)")
        return pick(
            rng,
            (
                Markup("This article is about the {} film. For other uses, see {}."),
                Markup("For other films and works of this name, see {1}."),
            ),
        ).format(film["year"], other)
    return None


def infobox_rows(film: dict, rng: Generator, citations: Citations) -> list[tuple[str, Markup]]:
    """The labelled rows; rows without a value are left out."""
    year = release_html(film["year"])
    several = chance(rng, 0.15)
    rows = [
        ("Directed by", names_html(film["directors"], rng)),
        ("Written by", names_html(film.get("writers"), rng)),
        ("Produced by", names_html(film.get("producers"), rng)),
        ("Starring", names_html(film["cast"], rng)),
        ("Distributed by", names_html([film["studio"]] if film.get("studio") else None, rng)),
        ("Release dates" if several else "Release date", releases_html(film["year"]) if several else year),
        ("Running time", running_time_html(film, rng, citations)),
        ("Country" if len(film["countries"]) == 1 else "Countries", list_html(film["countries"], rng)),
        ("Language", list_html(pick(rng, ([film["language"]], ["Silent", film["language"]])), rng)),
    ]
    return [(label, value) for label, value in rows if value]


def names_html(names: list[str] | None, rng: Generator) -> Markup | None:
    linked = chance(rng, 0.85)
    return list_html([link_html(name) if linked else name for name in names], rng) if names else None


def list_html(items: Sequence, rng: Generator) -> Markup:
    """A single value as it is; several as a plain list or with line breaks."""
    if len(items) == 1:
        return escape(items[0])
    if chance(rng, 0.6):
        entries = Markup("\n").join(Markup("<li>{}</li>").format(item) for item in items)
        return Markup('<div class="plainlist">\n<ul>{}</ul>\n</div>').format(entries)
    return Markup("<br />").join(items)


def release_html(year: int) -> Markup:
    return Markup(
        '{0}<span style="display: none;">&#160;(<span class="bday dtstart published updated itvstart">{0}'
        "</span>)</span>"
    ).format(year)


def releases_html(year: int) -> Markup:
    """Two dates, as some films have: the film's, and that of this edition, the only other date known to be true."""
    return Markup(
        '<div class="plainlist film-date">\n<ul><li>{}&#32;(first release)</li>\n<li>{}&#32;(sample edition)'
        "</li></ul>\n</div>"
    ).format(release_html(year), release_html(EDITION_YEAR))


def running_time_html(film: dict, rng: Generator, citations: Citations) -> Markup | None:
    if not film.get("runtime"):
        return None
    mark = citations.mark_html(page_text.source_note(film, "running time")) if chance(rng, 0.3) else ""
    return Markup("{} minutes{}").format(film["runtime"], mark)


def body_sections(film: dict, rng: Generator, citations: Citations, long_plot: bool) -> list[dict]:
    """The page's sections in order, each with heading, anchor and markup."""
    parts = []
    if film.get("trouble") != "no_plot":
        parts.append((pick(rng, PLOT_HEADINGS), plot_html(film, rng, citations, long_plot)))
    if film["cast"]:
        cast = (pick(rng, ("Cast", "Cast", "Cast", "Principal cast")), cast_html(film, rng))
        parts.insert(0 if chance(rng, 0.12) else len(parts), cast)
    for heading, sentences in page_text.fact_sections(film, rng):
        mark = citations.mark_html(page_text.source_note(film, "credits")) if chance(rng, 0.6) else ""
        parts.append((heading, Markup("<p>{}{}\n</p>").format(page_text.linked_html(sentences, link_html), mark)))
    if chance(rng, 0.4):
        parts.append(("See also", bullets_html(page_text.related(film), link_html)))
    notes = TEMPLATES.get_template("references.html.j2").render(citations=citations)
    if citations.remarks or citations.notes or chance(rng, 0.5):
        parts.append(("References", Markup(notes)))
    if chance(rng, 0.5):
        parts.append(("External links", external_html(film)))
    return [{"heading": heading, "id": slug(heading), "html": html} for heading, html in parts]


def plot_html(film: dict, rng: Generator, citations: Citations, long_plot: bool) -> Markup:
    """The plot's paragraphs with other content of real plot sections: a notice, a comment, a picture."""
    linked: set[str] = set()
    pieces = [page_text.paragraph_html(text, film, rng, citations, link_html, linked) for text in film["plot"]]
    if chance(rng, 0.15):
        extra = pick(rng, ("thumb_figure.html.j2", "thumb_div.html.j2"))
        who, side = pick(rng, film["cast"] or film["directors"]), pick(rng, ("left", "right"))
        thumb = TEMPLATES.get_template(extra).render(who=who, side=side)
        pieces.insert(int(rng.integers(len(pieces))), Markup(thumb))
    if chance(rng, 0.3):
        pieces.insert(int(rng.integers(len(pieces))), Markup(pick(rng, page_text.EDITORS_COMMENTS)))
    if long_plot:
        pieces.insert(0, Markup(TEMPLATES.get_template("long_plot.html.j2").render()))
    return Markup("\n").join(pieces)


def cast_html(film: dict, rng: Generator) -> Markup:
    entries = bullets_html(film["cast"], link_html if chance(rng, 0.85) else escape)
    return (
        Markup('<div class="div-col" style="column-width: 25em;">\n{}</div>').format(entries)
        if chance(rng, 0.3)
        else entries
    )


def bullets_html(items: Sequence[str], render) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup("\n").join(Markup("<li>{}</li>").format(render(item)) for item in items))


def external_html(film: dict) -> Markup:
    name = page_text.bare_title(film["title"])
    return Markup(
        '<ul><li><a rel="nofollow" class="external text" href="https://www.loc.gov/search/?q={}"><i>{}</i>'
        "</a> in the catalogue of the Library of Congress (search)</li></ul>"
    ).format(quote(name), name)
