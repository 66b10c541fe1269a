"""The categories of an article: the visible ones, and maintenance categories, about the article and not its topic."""

import json
import re
from itertools import islice
from urllib.parse import unquote

from lxml.etree import XPath

from pipeline.corpus.title import collapsed
from pipeline.media.pages import Element
from pipeline.parse.nouns import head_of
from pipeline.parse.tree import text_of

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
MAINTENANCE = re.compile(
    "|".join(
        (
            rf".* (?:from|since|as of) (?:{MONTHS}) \d{{4}}",
            r"All (?:article|disambiguation|set index|stub|NPOV|orphaned|accuracy|BLP|copied|uncategorized)\b.*",
            r"(?:All )?Wikipedia .*|Article Feedback .*|Subscription required .*|Short description\b.*|Engvar.*",
            r"(?:[\w -]+[ -])?[Pp]rotected (?:pages|against)\b.*|Biography with .*|Missing film date",
            r"Use (?:[A-Z][\w-]+ (?:English|spelling)|dmy|mdy|ymd|list-defined|shortened|Harvard|parenthetical)\b.*",
            r"AC (?:with|using) \d.*|CS1\b.*|Webarchive .*|Harv (?:and|errors)\b.*|Sfn .*|Cit(?:e|ation) \w+ .*",
            r"(?:Template )?[Ff]ilm date with .*|Portal(?: templates?|-inline) .*|Official website .*",
            r"(?:Commons|Sister project) (?:category|link|box)\b.*|No local image .*|Multiple image .*",
            r"(?:IMDb|Rotten Tomatoes|Metacritic|AFI|AllMovie|TCMDb|(?:Box Office )?Mojo|BFI|Discogs|AniDB|Letterboxd"
            r"|Kinopoisk|Internet \w+ Database|Internet Archive|MusicBrainz|Screenonline)\b.*"
            r" (?:template|IDs?|title ID|links?|URL|website|identifiers?)\b.*",
            r"Track ?listings? .*|Episode lists? (?:using|with) .*|Album (?:covers?|infobox).*|Instances of Lang.*",
            r"Single ?chart .*|Album ?chart .*|Certification (?:Table|Cite) .*|Lang and .*|Interlanguage .*",
            r"Languages which .*|ISO \d.*|Vague or ambiguous .*|Dynamic lists|Incomplete lists.*|Source attribution",
            r".*\b(?:dead|external) links\b.*|.*\btitle IDs?\b.*|.*\bunsourced statements\b.*",
            r".* (?:needing|lacking|requiring|missing|without) (?:\w+ )?(?:cleanup|attention|clarification|citations?"
            r"|references|sources|translation|expansion|verification|infobox|images?|alt text|covers?)\b.*",
        )
    )
)
ANYWHERE = frozenset(  # words of maintenance
    {"wikidata", "wikiproject", "infobox", "infoboxes", "navbox", "navboxes", "microformats", "wikilinks", "hatnotes"}
    | {"transclusions", "pagename", "wikiprojects", "tracking"}
)
IN_HEAD = frozenset(  # words of maintenance, unless a film is based on them: `Films based on newspaper articles`
    {"articles", "pages", "template", "templates", "parameter", "parameters", "redirects", "usages", "errors", "stub"}
    | {"stubs", "disputes", "citations", "footnotes", "summaries", "categories", "param", "params"}
)
OF_LISTS = re.compile(r"(?:Disambiguation|Set ind(?:ex|ices))\b.*")  # they define the kind of page
NORMAL = XPath("//div[@id='mw-normal-catlinks']")
ALL = XPath("//div[@id='catlinks']")
HIDDEN = "mw-hidden-catlinks"
HIDDEN_BOX = XPath(f"//div[@id='{HIDDEN}']")
NAMED = XPath("//link[contains(concat(' ', @rel, ' '), ' mw:PageProp/Category ')][@href]")
MOST = 1000  # links read; articles have up to 150
LISTED = re.compile(r'"wgCategories"\s*:\s*(?=\[)')


def visible_categories(tree: Element) -> list[str]:
    """Return the visible categories, in page order.

    If the page shows none: those in its script or, on Parsoid's pages, in its links. These do not mark hidden ones:
    maintenance categories, those that the page lists as hidden and links from templates are left out.
    """
    shown = _shown(tree)
    if shown:
        return shown
    hidden = {text_of(link) for box in HIDDEN_BOX(tree) for link in islice(box.iter("a"), MOST)}
    return [name for name in _linked(tree) or _in_script(tree) if name not in hidden and not is_maintenance(name)]


def is_maintenance(name: str) -> bool:
    """Return whether a category is about the state of the article (`Articles with dead links`), not its topic."""
    if OF_LISTS.fullmatch(name):
        return False
    if MAINTENANCE.fullmatch(name) or not ANYWHERE.isdisjoint(name.lower().split()):
        return True
    return not IN_HEAD.isdisjoint(head_of(name).lower().split())


def _shown(tree: Element) -> list[str]:
    for box in NORMAL(tree) or ALL(tree):
        links = [(link, [*link.iterancestors()]) for link in islice(box.iter("a"), MOST)]
        links = [(link, above) for link, above in links if all(node.get("id") != HIDDEN for node in above)]
        listed = [link for link, above in links if any(node.tag == "li" for node in above)]
        shown = listed or [link for link, _ in links[1:]]  # without a list, the first is a label
        return [name for link in shown if (name := text_of(link))]
    return []


def _linked(tree: Element) -> list[str]:
    return [_named(link.get("href")) for link in NAMED(tree)[:MOST] if not _of_template(link)]


def _of_template(element: Element) -> bool:
    nodes = (element, *element.iterancestors())
    return any("about" in node.attrib for node in nodes if node.tag not in ("html", "body"))


def _named(href: str) -> str:
    return collapsed(unquote(href.partition("#")[0].partition("Category:")[2]).replace("_", " "))


def _in_script(tree: Element) -> list[str]:
    for script in tree.iter("script"):
        text = script.text or ""
        if found := LISTED.search(text):
            try:
                names, _ = json.JSONDecoder().raw_decode(text, found.end())
            except (ValueError, RecursionError):
                return []
            texts = [name for name in names[:MOST] if isinstance(name, str)]
            return [collapsed(text.encode("utf-8", "replace").decode()) for text in texts]  # lone surrogates
    return []
