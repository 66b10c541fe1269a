"""Films from a category of a wiki."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

from pipeline.apps.corpus.api import Api, ApiError
from pipeline.apps.corpus.article import Article, NotAnArticleError, title_of
from pipeline.apps.corpus.kind import trouble_with, year_of
from pipeline.apps.corpus.listing import Wanted
from pipeline.core.errors import CorpusError


@dataclass
class Harvest:
    """Films to add from a category, counts of skipped pages by reason, and the error that ended it early, if any."""

    wanted: list[Wanted] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    broken_off: str = ""


def harvest(api: Api, name: str, limit: int, known: Container[Article]) -> Harvest:
    """Return at most `limit` films of the category `name` that are not `known`, in the order of the category's batches.

    If the wiki stops answering, the films found before are returned. Raises `CorpusError` if the category does not
    exist or has no articles, and `ApiError` if the wiki cannot be reached.
    """
    category = _require(api, name)
    result, seen = Harvest(), set()
    try:
        for batch in api.members(category):
            for facts in batch:
                if len(result.wanted) == limit:
                    return result
                trouble = trouble_with(facts)
                article = Article(api.site, facts.title)
                if trouble:
                    result.passed_over[trouble[0]] += 1
                elif article in known:
                    result.passed_over["already in the list"] += 1
                elif article not in seen:
                    seen.add(article)
                    result.wanted.append(Wanted(article.url, year_of(facts.categories)))
    except ApiError as error:
        result.broken_off = str(error)
    return result


def _require(api: Api, name: str) -> str:
    """Return the category's full name; raise `CorpusError` if it contains no articles."""
    try:
        title = title_of(name.strip())
    except NotAnArticleError as error:
        raise CorpusError(f"category: {error}") from None
    title = title if title.lower().startswith("category:") else f"Category:{title}"
    page = api.category(title)
    info = page.categoryinfo
    if page.invalid:
        raise CorpusError(f"{title}: {page.invalidreason or 'not a valid category'}")
    if info is None or info.pages + info.subcats == 0:
        raise CorpusError(f"{title}: not a category of {api.site}, or empty; check its exact name")
    if info.pages == 0:
        raise CorpusError(f"{title} contains {info.subcats} categories and no articles: use one of these")
    return title
