"""What kind of thing a phrase names: the noun at its head says it, not the ones that follow.

Films | based on video games           films
2003 video games | based on films      games
British novels | adapted into films    neither
an American musical comedy film | directed by Ada Roe, who was …
"""

import re
from typing import Literal, cast

Kind = Literal["film", "disambiguation", "missing", "series", "person", "game", "not_a_film"]

HEAD_ENDS = re.compile(
    r" (?:about|adapted|as|at|based|by|containing|created|developed|directed|distributed|edited|featuring|filmed|for"
    r"|from|in|inspired|introduced|made|of|on|produced|published|released|scored|set|shot|starring|that|to|using|which"
    r"|who|whose|with|written)\b.*",
    re.DOTALL,
)
CLAUSE_ENDS = re.compile(r"[,.;:(].*", re.DOTALL)
FILMS_OF_A_YEAR = re.compile(r"(?:18|19|20)\d\d (?:.* )?films")
FILMS_OF_A_DECADE = re.compile(r"(?:18|19|20)\d0s (?:.* )?(?:films|movies)")
BIRTH_OR_DEATH = re.compile(r"(?:Year|Date|Place) of (?:birth|death)\b.*")
CATEGORIES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("person", re.compile(r"(?:.* )?(?:births|deaths)|(?:Possibly )?living people", re.IGNORECASE)),
    ("film", re.compile(r"(?:.* )?(?:films|movies|film serials|film noir|documentaries)", re.IGNORECASE)),
    ("game", re.compile(r"(?!Fictional )(?:.* )?games")),  # those of sports have a capital
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
NOUNS = re.compile(  # of those that begin at the same letter the first wins
    r"\b(?:(?P<series>(?:film|movie|television|tv|web|anime|media|drama|comedy) (?:series|serial|franchise|show|drama)"
    r"|(?:mini)?series|sitcom|soap opera|telenovela|franchise|trilogy|episode|season \d+)"
    r"|(?P<game>game)"
    r"|(?P<person>(?:film )?(?:director|producer|screenwriter|cinematographer|composer|critic|editor|actor|actress)"
    r"|film-?maker|writer|author|singer|musician|comedian|politician)"
    r"|(?P<film>film(?! (?:score|studio|festival|company|award|industry|genre|theory)\b)|movie|documentary|serial)"
    r"|(?P<not_a_film>novel|novella|book|comics?|manga|magazine|short story|character|album|soundtrack|score|song"
    r"|single|band|play|musical|opera|ballet|studio|festival|company|award|list|city|town|village))\b",
    re.IGNORECASE,
)


def kind_of_category(name: str) -> Kind | None:
    """Return the kind of article that a category holds; None when its name does not tell."""
    if BIRTH_OR_DEATH.fullmatch(name):
        return "person"
    return next((kind for kind, pattern in CATEGORIES if pattern.fullmatch(_head(name))), None)


def is_of_a_year(category: str) -> bool:
    """Say whether a category holds films of one year: `1926 films`, `1926 comedy films based on plays`."""
    return FILMS_OF_A_YEAR.fullmatch(_head(category)) is not None


def is_of_a_decade(category: str) -> bool:
    """Say whether a category holds films of one decade: `1920s films`, `1990s comedy road movies`."""
    return FILMS_OF_A_DECADE.fullmatch(_head(category)) is not None


def kind_of_phrase(text: str) -> Kind | None:
    """Return the kind that the last noun before the first preposition, comma or full stop of `text` names."""
    found = list(NOUNS.finditer(_head(CLAUSE_ENDS.sub("", text))))
    return cast(Kind, found[-1].lastgroup) if found else None  # the pattern's groups are the kinds


def _head(phrase: str) -> str:
    return HEAD_ENDS.sub("", phrase)
