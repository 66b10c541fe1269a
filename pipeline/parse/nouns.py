"""The kind of thing that a phrase denotes, by its head noun.

Films | based on video games           films
2003 video games | based on films      games
British novels | adapted into films    neither
an American musical comedy film | directed by Ada Roe, who was …
"""

import re
from itertools import takewhile
from typing import Literal, cast

Kind = Literal["film", "disambiguation", "missing", "other_language", "series", "person", "game", "not_a_film"]

HEAD_ENDS = re.compile(
    r" (?:about|adapted|as|at|based|by|containing|created|developed|directed|distributed|edited|featuring|filmed|for"
    r"|from|in|inspired|introduced|made|of|on|produced|published|released|scored|set|shot|starring|that|to|using|which"
    r"|who|whose|with|written)\b.*",
    re.DOTALL,
)
CLAUSE_ENDS = re.compile(r"[,.;:(].*", re.DOTALL)
SENTENCE_ENDS = re.compile(r"[.;:(].*", re.DOTALL)
FILMS_OF_A_YEAR = re.compile(r"(?:18|19|20)\d\d (?:.* )?(?:films|movies)")
FILMS_OF_A_SORT = re.compile(  # not of a name, such as `James Bond films`
    r"(?:Upcoming|Unfinished|Unreleased|Cancell?ed) films|\S+ (?:.* )?[a-z][\w'’–-]* (?:films|movies)|.*-language films"
)
FILMS_OF_A_DECADE = re.compile(r"(?:18|19|20)\d0s (?:.* )?(?:films|movies)")
BIRTH_OR_DEATH = re.compile(r"(?:Year|Date|Place) of (?:birth|death)\b.*")
CATEGORIES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("person", re.compile(r"(?:.* )?(?:births|deaths)|(?:Possibly )?living people", re.IGNORECASE)),
    ("film", re.compile(r"(?:.* )?(?:films|movies|film serials|film noir|documentaries)", re.IGNORECASE)),
    ("not_a_film", re.compile(r"(?:.* )?(?:lists|filmographies|discographies)", re.IGNORECASE)),
    ("game", re.compile(r"(?!Fictional )(?:.* )?games")),  # `Games` of sports have a capital
    (
        "series",
        re.compile(
            r"(?!Fictional )(?:.* )?(?:(?:television|TV|web|anime|animated|drama|comedy|film|reality)"
            r" (?:series|serials|programs|programmes|shows)|miniseries|sitcoms|soap operas|telenovelas|OVAs|episodes"
            r"|seasons|franchises|trilogies|series (?:debuts|endings))",
            re.IGNORECASE,
        ),
    ),
)
NOT_ITSELF = (  # words after `film` in the name of something else
    r"(?! (?:score|studio|festival|company|award|industry|genre|theory|production|distribution|distributor|exhibition"
    r"|exhibitor|label|library|archive|school|magazine|character|term|technique|style|subgenre)s?\b)"
)
NOUNS = re.compile(  # the first of alternatives at the same position wins
    r"\b(?:(?P<series>(?:film|movie|television|tv|web|anime|media|drama|comedy)"
    r" (?:series|serial|franchise|show|drama|program|programme)|(?:game|quiz|talk|chat|reality|variety) show"
    r"|(?:mini-?|docu-?)?series|sitcom|soap opera|telenovela|franchise|trilogy|episode|season \d+|program(?:me)?)"
    r"|(?P<game>game)"
    r"|(?P<person>(?:film )?(?:director|producer|screenwriter|cinematographer|composer|critic|editor|actor|actress)"
    r"|film-?maker|writer|author|singer|musician|comedian|politician)"
    rf"|(?P<film>(?:film|movie|motion picture){NOT_ITSELF}|documentary|docudrama|mockumentary|biopic|featurette"
    r"|(?:animated|cartoon|comedy|silent|theatrical) short|serial)"
    r"|(?P<not_a_film>novel|novella|book|comics?|manga|magazine|short story|character|album|soundtrack|score|song"
    r"|single|band|play|musical|opera|ballet|studio|festival|company|corporation|conglomerate|distributor|subsidiary"
    r"|award|list|city|town|village))\b",
    re.IGNORECASE,
)
COMPANIES = frozenset(
    {"company", "companies", "studio", "studios", "corporation", "distributor", "conglomerate", "firm"}
)
DETERMINERS = frozenset(
    {"a", "an", "the", "this", "his", "her", "its", "their", "which", "who", "whose", "with", "one"}
)


def kind_of_category(name: str) -> Kind | None:
    """Return the kind of articles in a category; None if its name does not determine it."""
    if BIRTH_OR_DEATH.fullmatch(name):
        return "person"
    return next((kind for kind, pattern in CATEGORIES if pattern.fullmatch(head_of(name))), None)


def is_of_a_year(category: str) -> bool:
    """Return whether a category contains films of one year: `1926 films`, `1926 comedy films based on plays`."""
    return FILMS_OF_A_YEAR.fullmatch(head_of(category)) is not None


def is_of_a_decade(category: str) -> bool:
    """Return whether a category contains films of one decade: `1920s films`, `1990s comedy road movies`."""
    return FILMS_OF_A_DECADE.fullmatch(head_of(category)) is not None


def kind_of_phrase(text: str) -> Kind | None:
    """Return the kind denoted by the last noun before the first preposition, comma or full stop of `text`.

    Not a film if an enumeration starting with it ends with a company: `a film, television and music company`.
    """
    clause = head_of(CLAUSE_ENDS.sub("", text))
    found = list(NOUNS.finditer(clause))
    if not found:
        return None
    kind = cast(Kind, found[-1].lastgroup)  # the pattern's groups are the kinds
    if kind == "film" and text[len(clause) :].startswith(","):
        words = head_of(SENTENCE_ENDS.sub("", text[len(clause) :])).replace(",", " ").lower().split()
        enumerated = takewhile(lambda word: word not in DETERMINERS, words)
        return "not_a_film" if COMPANIES.intersection(enumerated) else kind
    return kind


def is_of_the_topic(category: str, title: str) -> bool:
    """Return whether a category is named after the article: `Short films` and `Short film`."""
    return category.casefold() == f"{title}s".casefold()


def is_of_a_sort(category: str) -> bool:
    """Return whether a category contains films of a genre or state: `American drama films`, `Upcoming films`."""
    return FILMS_OF_A_SORT.fullmatch(head_of(category)) is not None


def head_of(phrase: str) -> str:
    """Return the text before the first preposition or participle: `Films` of `Films set in London`."""
    return HEAD_ENDS.sub("", phrase)
