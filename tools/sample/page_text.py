"""The sentences of the generated pages, and the marks inside a paragraph.

Every sentence states facts of a film record in one of several wordings. Conventions: see pages.py; `link_html(title,
text)` and the page's citations are arguments.
"""

import re
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape
from numpy.random import Generator

LinkHtml = Callable[..., Markup]
DEMONYMS = {
    "United States": "American",
    "United Kingdom": "British",
    "Germany": "German",
    "France": "French",
    "Italy": "Italian",
    "Sweden": "Swedish",
    "Denmark": "Danish",
    "Norway": "Norwegian",
    "Finland": "Finnish",
    "Soviet Union": "Soviet",
    "Russia": "Russian",
    "Russian Empire": "Russian",
    "Japan": "Japanese",
    "China": "Chinese",
    "India": "Indian",
    "Austria": "Austrian",
    "Hungary": "Hungarian",
    "Poland": "Polish",
    "Spain": "Spanish",
    "Czechoslovakia": "Czechoslovak",
    "Netherlands": "Dutch",
    "Belgium": "Belgian",
    "Brazil": "Brazilian",
    "Australia": "Australian",
    "Canada": "Canadian",
    "Mexico": "Mexican",
    "Switzerland": "Swiss",
    "Portugal": "Portuguese",
    "Romania": "Romanian",
    "Argentina": "Argentine",
    "Weimar Republic": "German",
    "British India": "Indian",
}
GENRE_ADJECTIVES = {"romance": "romantic", "children": "children's", "western": "Western"}
LINKABLE = (
    "railway",
    "locomotive",
    "train",
    "circus",
    "castle",
    "cathedral",
    "village",
    "vampire",
    "sailor",
    "soldier",
    "soldiers",
    "orphan",
    "prison",
    "wedding",
    "funeral",
    "desert",
    "factory",
    "police",
    "detective",
    "blizzard",
    "monastery",
    "plague",
    "revolution",
    "trenches",
    "cavalry",
    "steamer",
    "telegram",
    "hypnotist",
    "priest",
    "king",
    "queen",
    "emperor",
    "inquisition",
    "witch",
    "devil",
    "carnival",
    "cabaret",
    "ballroom",
    "boxing",
    "newspaper",
    "lighthouse",
    "harbour",
    "harbor",
    "shipwreck",
    "mountain",
    "glacier",
    "volcano",
    "Paris",
    "London",
    "Berlin",
    "Vienna",
    "New York",
    "Rome",
    "Venice",
    "Moscow",
    "Odessa",
    "Jerusalem",
    "Baghdad",
    "Tokyo",
    "stagecoach",
    "cowboy",
    "murder",
    "blackmail",
    "duel",
    "asylum",
    "skyscraper",
    "department store",
    "submarine",
    "rocket",
    "robot",
)
EDITORS_COMMENTS = (
    "<!-- Plot summaries of feature films should have 400 to 700 words; please check the count before adding. -->",
    "<!-- Please discuss larger changes on the talk page first. -->",
    "<!-- Names are spelled as in the corpus record. -->",
)
REMARKS = (
    "Names are spelled as in the corpus record.",
    "The summary was written for this corpus.",
    "Told here in the corpus's own words.",
)


def chance(rng: Generator, share: float) -> bool:
    return bool(rng.uniform() < share)


def pick(rng: Generator, options: Sequence):
    return options[int(rng.integers(len(options)))]


def bare_title(title: str) -> str:
    """A title without its disambiguator."""
    return re.sub(r" \([^)]*\)$", "", title)


def source_note(film: dict, subject: str) -> str:
    return f"Record of {bare_title(film['title'])} ({film['year']}) in the embedded sample corpus: {subject}."


def joined_html(items: Sequence) -> Markup:
    """A, B and C."""
    items = [escape(item) for item in items]
    return items[0] if len(items) == 1 else Markup(" and ").join((Markup(", ").join(items[:-1]), items[-1]))


def linked_html(parts: Sequence, link_html: LinkHtml) -> Markup:
    """Text from strings and from tuples of names to link and enumerate."""
    return Markup("").join(
        joined_html([link_html(name) for name in part]) if isinstance(part, tuple) else escape(part) for part in parts
    )


def description(film: dict) -> str:
    """For example: American silent comedy."""
    genre = GENRE_ADJECTIVES.get(film["genres"][0], film["genres"][0])
    nations = "-".join(DEMONYMS[country] for country in film["countries"] if country in DEMONYMS)
    return " ".join(filter(None, (nations, "silent", genre)))


def lead_html(film: dict, rng: Generator, citations, link_html: LinkHtml) -> list[Markup]:
    """One or two opening paragraphs."""
    openings = (
        (f" is a {film['year']} {description(film)} film directed by ", tuple(film["directors"]), "."),
        (f" is a {description(film)} film from {film['year']}. It was directed by ", tuple(film["directors"]), "."),
        (
            f" is a {film['year']} {description(film)} film by ",
            tuple(film["directors"]),
            ", starring ",
            tuple(film["cast"][:3]),
            ".",
        ),
        (
            f" is a {description(film)} film of {film['year']}, directed by ",
            tuple(film["directors"]),
            " with ",
            tuple(film["cast"][:2]),
            " among the players.",
        ),
    )
    names_cast = bool(film["cast"]) and chance(rng, 0.5)
    first = pick(rng, openings[2:] if names_cast else openings[:2])
    opening = Markup("<i><b>{}</b></i>{}").format(bare_title(film["title"]), linked_html(first, link_html))
    rest = [linked_html(parts, link_html) for parts in lead_facts(film, rng, names_cast)]
    rng.shuffle(rest)
    mark = citations.mark_html(source_note(film, "title and credits")) if chance(rng, 0.4) else ""
    if len(rest) > 2 and chance(rng, 0.5):
        return [opening + mark + " " + rest[0], Markup(" ").join(rest[1:])]
    return [Markup(" ").join([opening + mark, *rest])]


def lead_facts(film: dict, rng: Generator, names_cast: bool) -> list[tuple]:
    """Further sentences from the record, some of them dropped; the cast only if the opening has none."""
    minutes, cast, facts = film.get("runtime"), tuple(film["cast"]), []
    if cast and not names_cast:
        facts.append(
            pick(
                rng,
                (
                    ("The cast includes ", cast, "."),
                    ("Its players include ", cast, "."),
                    ("On the screen one sees ", cast, "."),
                ),
            )
        )
    if minutes:
        facts.append(
            pick(
                rng,
                (
                    (f"It runs for about {minutes} minutes.",),
                    (f"The film lasts some {minutes} minutes.",),
                    (f"Its running time is about {minutes} minutes, with {film['language']}.",),
                ),
            )
        )
    if film.get("producers"):
        facts.append(
            pick(
                rng,
                (
                    ("It was produced by ", tuple(film["producers"]), "."),
                    ("The producing credit goes to ", tuple(film["producers"]), "."),
                ),
            )
        )
    if film.get("studio"):
        facts.append(
            pick(
                rng,
                (
                    ("It was brought out by ", (film["studio"],), "."),
                    ("The company that put it out was ", (film["studio"],), "."),
                ),
            )
        )
    if len(film["genres"]) > 1:
        facts.append((f"It mixes elements of {joined_html(film['genres'])}.",))
    return [fact for fact in facts if chance(rng, 0.75)]


def fact_sections(film: dict, rng: Generator) -> list[tuple[str, tuple]]:
    """Up to three short sections that restate the record."""
    directors, countries = tuple(film["directors"]), joined_html(film["countries"])
    made = [f"The film was made in {countries} under the direction of ", directors, "."]
    if film.get("producers"):
        made += [" Its production is credited to ", tuple(film["producers"]), "."]
    released = [f"The film came out in {film['year']}."]
    if film.get("studio"):
        released += [" It was put out by ", (film["studio"],), "."]
    released.append(f" Its text is given in {film['language']}.")
    first, last = film["categories"][1], film["categories"][-1]
    received = [f"This corpus files the film under headings such as “{first}” and “{last}”."]
    sections = [
        ("Production", tuple(made)),
        ("Release", tuple(released)),
        (pick(rng, ("Reception", "Legacy")), tuple(received)),
    ]
    return [section for section in sections if chance(rng, 0.5)]


def related(film: dict) -> list[str]:
    nations = [DEMONYMS[country] for country in film["countries"] if country in DEMONYMS]
    lists = [f"List of {nation} films of {film['year']}" for nation in nations[:1]]
    return [*lists, f"{film['year']} in film", "Silent film"]


def paragraph_html(text: str, film: dict, rng: Generator, citations, link_html: LinkHtml, linked: set[str]) -> Markup:
    """A plot paragraph with links, italics, reference marks and a comment inserted; its words are unchanged."""
    edits = link_edits(text, rng, link_html, linked)
    free = [
        match
        for match in re.finditer(r"\b[a-z]{8,}\b", text)
        if not any(start < match.end() and match.start() < end for start, end, _ in edits)
    ]
    if free and chance(rng, 0.15):
        word = pick(rng, free)
        edits.append((word.start(), word.end(), Markup("<i>{}</i>").format(word.group())))
    stops = [match.end() for match in re.finditer(r"[a-z]{4}\.(?= |$)", text)]
    if stops and chance(rng, 0.25):
        edits.append((*(pick(rng, stops),) * 2, citations.mark_html(source_note(film, "plot"))))
    if stops and chance(rng, 0.08):
        edits.append((*(pick(rng, stops),) * 2, citations.remark_html(pick(rng, REMARKS))))
    if stops and chance(rng, 0.06):
        edits.append((*(pick(rng, stops),) * 2, Markup(pick(rng, EDITORS_COMMENTS))))
    return Markup("<p>{}\n</p>").format(edited_html(text, edits))


def link_edits(text: str, rng: Generator, link_html: LinkHtml, linked: set[str]) -> list[tuple[int, int, Markup]]:
    """Links on the first use of some known words."""
    edits = []
    for term in LINKABLE:
        match = re.search(rf"\b{term}\b", text)
        if match and term not in linked and chance(rng, 0.6):
            linked.add(term)
            edits.append((match.start(), match.end(), link_html(term[0].upper() + term[1:], term)))
    return edits


def edited_html(text: str, edits: list[tuple[int, int, Markup]]) -> Markup:
    """Text with stretches (start, end) replaced by markup."""
    pieces, position = [], 0
    for start, end, markup in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [escape(text[position:start]), markup]
        position = end
    return Markup("").join([*pieces, escape(text[position:])])
