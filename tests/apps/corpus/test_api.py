import gzip
import json

import pytest

from pipeline.apps.corpus.answer import ShapeError, read_answer
from pipeline.apps.corpus.api import ApiError, Facts, batches
from tests.apps.corpus.small_wiki import WikiPage

OK = {"Content-Type": "application/json"}


def told(api, *titles):
    return {title: facts for batch in api.facts(titles) for title, facts in batch.items()}


def test_where_titles_lead(api, wiki):
    wiki.pages = {
        "Fog": WikiPage(("1931 films", "American films", "Sea films", "English-language films", "Lost films")),
        "It (film)": WikiPage(redirect="It (1990 film)"),
        "It (1990 film)": WikiPage(redirect="It (miniseries)"),
        "It (miniseries)": WikiPage(("1990 television films",)),
        "Mercury": WikiPage(disambiguation=True, categories=("Planets",)),
        "Old": WikiPage(redirect="New", section="Film"),
        "New": WikiPage(),
        "Gone": WikiPage(redirect="Nowhere"),
        "Round": WikiPage(redirect="About"),
        "About": WikiPage(redirect="Round"),
    }
    found = told(api, "Fog", "it_(film)", "Mercury", "Old", "Gone", "Round", "None", "Fr:Brume", "[x", "Category:Films")
    assert found["Fog"] == Facts("Fog", categories=wiki.pages["Fog"].categories)
    assert found["it_(film)"] == Facts("It (miniseries)", categories=("1990 television films",), redirected=True)
    assert found["Mercury"].disambiguation and found["Mercury"].categories == ("Planets",)
    assert found["Old"].title == "New" and found["Old"].section == "Film" and found["Old"].redirected
    assert found["Gone"] == Facts("Nowhere", missing=True, redirected=True)
    assert "circular" in found["Round"].invalid
    assert found["None"].missing and not found["None"].redirected
    assert found["Fr:Brume"].elsewhere
    assert found["[x"].invalid == "bad character"
    assert found["Category:Films"].namespace == 14


def test_titles_reach_the_wiki_whole(api, wiki):
    titles = ["Fast & Furious", "Romeo + Juliet", "50% #?=/", "Amélie", "霧", "A\u200cB", "🎬", "Face/Off", "\"'<>"]
    wiki.pages = {title: WikiPage() for title in titles}
    found = told(api, *titles)
    assert [found[title].missing for title in titles] == [False] * len(titles)
    assert all(path.isascii() and " " not in path for path in wiki.paths)


def test_titles_go_in_batches_of_fifty(api, wiki):
    titles = [f"Film {number}" for number in range(120)]
    wiki.pages = {title: WikiPage() for title in titles}
    wiki.categories_a_part = 500
    assert list(told(api, *titles)) == titles
    assert [len(ask["titles"].split("|")) for ask in wiki.asked] == [50, 50, 20]


def test_batches_of_long_titles_fit_into_a_url(api, wiki):
    titles = [f"{'霧' * 80} {number}" for number in range(100)]
    assert [title for batch in batches(titles) for title in batch] == titles
    told(api, *titles)
    assert max(map(len, wiki.paths)) < 8000 and len(wiki.paths) > 10


def test_continued_answers_are_followed(api, wiki):
    wiki.pages = {f"Film {n}": WikiPage(tuple(f"{n} {m}" for m in range(7))) for n in range(10)}
    wiki.categories_a_part = 4
    found = told(api, *wiki.pages)
    assert all(found[title].categories == page.categories for title, page in wiki.pages.items())
    assert len(wiki.asked) == 18


def test_members_of_a_category_come_with_all_their_categories(api, wiki):
    wiki.pages = {f"Film {n:02}": WikiPage(("Sea films", "1931 films", "x", "y")) for n in range(23)}
    wiki.pages["Film 07"] = WikiPage(("Sea films",), redirect="Target")
    wiki.pages["Target"] = WikiPage(("1950 films",))
    wiki.members_a_part, wiki.categories_a_part = 5, 6
    found = list(api.members("Category:Sea films"))
    assert [len(batch) for batch in found] == [5, 5, 5, 5, 3]
    titles = [facts.title for batch in found for facts in batch]
    assert len(set(titles)) == 23 and "Target" in titles and "Film 07" not in titles
    assert all(facts.categories[0] in ("Sea films", "1950 films") for batch in found for facts in batch)
    assert {len(facts.categories) for batch in found for facts in batch} == {4, 1}


LAG = json.dumps({"error": {"code": "maxlag", "info": "Waiting for db: 7.5 seconds lagged", "lag": 7.5}}).encode()


def test_an_overloaded_wiki_is_retried_after_a_pause(api, wiki, pauses):
    wiki.pages = {"Fog": WikiPage()}
    wiki.first = [(200, OK | {"Retry-After": "5"}, LAG)]
    assert not told(api, "Fog")["Fog"].missing
    assert pauses == [7.5] and len(wiki.asked) == 2


def test_a_wiki_that_stays_under_load(api, wiki, pauses, params):
    wiki.first = [(200, OK, LAG)] * 10
    with pytest.raises(ApiError, match=r"maxlag.*7\.5 seconds lagged"):
        told(api, "Fog")
    assert len(wiki.asked) == params.scrape.attempts and pauses == [7.5, 10.0]


def test_too_many_requests(api, wiki, pauses):
    wiki.pages = {"Fog": WikiPage()}
    wiki.first = [(429, {"Retry-After": "3"}, b"slow down"), (503, {}, b"")]
    assert not told(api, "Fog")["Fog"].missing
    assert pauses and max(pauses) <= 3.0 and len(wiki.asked) == 3


@pytest.mark.parametrize(
    ("status", "headers", "body", "message"),
    [
        (
            200,
            OK,
            b'{"error": {"code": "badvalue", "info": "no\\u0007\\u001b[31m"}}',
            r"\('badvalue'\): no \[31m$",
        ),
        (200, {"Content-Type": "text/html"}, b"<html>log in</html>", "is not the API of a wiki"),
        (200, OK, b"", "is not the API of a wiki"),
        (200, OK, b"[" * 100_000, "is not the API of a wiki"),
        (200, OK, b"[]", "is not the API of a wiki"),
        (200, OK, b'{"query": {"pages": "all"}}', "query.pages"),
        (200, OK, b'{"query": {"pages": [{"title": 3}]}}', "title"),
        (200, OK, b'{"query": {"pages": [{"title": "\\ud800"}]}}', "is not the API of a wiki"),
        (200, OK, json.dumps({"query": {"pages": [{"title": "x" * 10_000}]}}).encode(), "title"),
        (200, OK, b'{"query": {"redirects": [{"from": "x"}]}}', "redirects"),
        (200, OK | {"Content-Encoding": "gzip"}, gzip.compress(b" " * 50_000_000), "too_large"),
        (403, {}, b"who are you", "forbidden"),
        (404, {}, b"", "not_found"),
        (302, {"Location": "file:///etc/passwd"}, b"", "bad_redirect"),
        (302, {"Location": "http://192.0.2.1/w/api.php"}, b"", "bad_redirect"),
    ],
)
def test_hostile_answers(api, wiki, status, headers, body, message):
    wiki.first = [(status, headers, body)] * 3
    with pytest.raises(ApiError, match=message) as caught:
        told(api, "Fog")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


def test_an_endless_answer(api, wiki):
    more = json.dumps({"continue": {"clcontinue": "1", "continue": "||"}, "query": {"pages": []}}).encode()
    wiki.first = [(200, OK, more)] * 10
    with pytest.raises(ApiError, match="or the same one again"):
        told(api, "Fog")
    assert len(wiki.asked) == 2


def test_the_older_format_is_read_too():
    old = {"batchcomplete": "", "query": {"pages": {"-1": {"ns": 0, "title": "None", "missing": ""}}}}
    answer = read_answer(json.dumps(old).encode())
    assert answer.batchcomplete and answer.query.pages[0].missing
    new = {"batchcomplete": True, "query": {"pages": [{"ns": 0, "title": "None", "missing": True}]}}
    assert read_answer(json.dumps(new).encode()) == answer
    with pytest.raises(ShapeError):
        read_answer(b'{"query": {"pages": [{"title": "x", "missing": "perhaps"}]}}')
