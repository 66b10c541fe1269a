"""The first sentence of an article: its topic and year.

Fog (1962) is an experimental film     Fog is a (1962) experimental film     Fog is a film … released in May 1962
"""

import re
from itertools import islice

from lxml.etree import XPath

from pipeline.media.pages import Element
from pipeline.parse.nouns import head_of
from pipeline.parse.tree import having, text_of

MOST = 200  # paragraphs examined
LONGEST = 1000  # characters read of a sentence
DESCRIPTION = XPath(f"//div[{having('shortdescription')}]")
VERB = re.compile(r"(?<!\bwhich )(?<!\bthat )(?<!\bwho )\b(?:is|was|are|were|will be) ")
ABBREVIATIONS = "".join(
    rf"(?<!\b{word})" for word in ("Dr", "Mr", "Mrs", "Ms", "St", "Jr", "Sr", "vs", "No", "Vol", "Pt")
)
SENTENCE_END = re.compile(rf"(?<![A-Z]){ABBREVIATIONS}\.\s+(?=[A-Z\"“])")
ASIDE = re.compile(r"\s*\([^()]*\)")
SPAN = re.compile(r"\b\d{4}\s*[–—-]\s*(?:\d{4}|\d\d|present)\b")  # of a life, a war
YEAR = re.compile(r"(?<!\d)((?:18[7-9]|19\d|20\d)\d)(?!\d|s\b|['’]s\b)")
FILM = re.compile(r"\b(?:films?|movies?|motion pictures?|documentary|serial|short|featurette|biopic)\b", re.IGNORECASE)
AFTER_FILM = re.compile(rf",? (?:of|from|in|\() ?(?:the year )?{YEAR.pattern}")
RELEASED = (  # best first
    re.compile(r"\b(?:released|premiered|premiering|shown|screened|aired|broadcast)\b", re.IGNORECASE),
    re.compile(r"\b(?:made|produced|completed|filmed|shot|directed)\b", re.IGNORECASE),
)
OTHER_MATTERS = re.compile(
    r"\b(?:about|adapted|based|set|inspired|novel|book|play|story|depicting|following|concerning|born)\b", re.IGNORECASE
)


def description_of(tree: Element) -> str:
    """Return the hidden short description at the top of newer pages; "" without one."""
    return next((text_of(element) for element in DESCRIPTION(tree)), "")


def first_sentence(tree: Element) -> str:
    """Return the first sentence with a verb; "" if there is none."""
    for paragraph in islice(tree.iter("p"), MOST):
        if next(paragraph.iterancestors("table"), None) is None:
            text = text_of(paragraph)
            sentence = SENTENCE_END.split(text, maxsplit=1)[0][:LONGEST]
            if VERB.search(sentence):
                return sentence
            if VERB.search(text):
                return text[:LONGEST]
    return ""


def predicate(sentence: str) -> str:
    """Return the text after the verb, without asides in brackets: `an experimental film`; "" without a verb."""
    parts = VERB.split(ASIDE.sub("", sentence), maxsplit=1)
    return parts[1] if len(parts) == 2 else ""


def year_of_lead(tree: Element) -> int | None:
    """Return the year of a film in its first sentence, or else in its short description."""
    sentence = SPAN.sub("", first_sentence(tree))
    verb = VERB.search(sentence)
    if verb and (year := _year_in(sentence, verb)):
        return year
    return _year_of_noun(description_of(tree))


def _year_in(sentence: str, verb: re.Match[str]) -> int | None:
    before, after = sentence[: verb.start()], sentence[verb.end() :]
    if year := _year_of_noun(after):
        return year
    for aside in ASIDE.findall(before):
        if found := YEAR.search(aside):
            return int(found[1])
    if year := _year_of_noun(before.partition(",")[2]):  # `Fog, a 1962 film by Ada Roe, is …`
        return year
    for pattern in RELEASED:
        for released in islice(pattern.finditer(sentence), 5):
            if found := YEAR.search(OTHER_MATTERS.split(sentence[released.end() :], maxsplit=1)[0]):
                return int(found[1])
    return None


def _year_of_noun(phrase: str) -> int | None:
    """Return the year next to the noun: `1962 film`, `(1962) film`, `film of 1962`, `film (1962)`."""
    for film in islice(FILM.finditer(phrase), 3):  # `short` and `film`
        noun_phrase = phrase[: film.start()]
        if head_of(noun_phrase) != noun_phrase:
            return None
        if found := YEAR.search(noun_phrase) or AFTER_FILM.match(phrase, film.end()):
            return int(found[1])
    return None
