import pytest

from pipeline.corpus.title import article_address, article_title, search_for

SITE = "https://en.wikipedia.org"


@pytest.mark.parametrize(
    ("url", "address", "title"),
    [
        ("/wiki/What's_Up,_Doc?", "/wiki/What's_Up,_Doc%3F", "What's Up, Doc?"),
        ("/wiki/What's_Up,_Doc?_(1972_film)", "/wiki/What's_Up,_Doc%3F_(1972_film)", "What's Up, Doc? (1972 film)"),
        ("/wiki/What%3F_Why?_(film)", "/wiki/What%3F_Why%3F_(film)", "What? Why? (film)"),
        ("/wiki/Who??", "/wiki/Who%3F%3F", "Who??"),
        ("/wiki/Who?#Plot?", "/wiki/Who%3F#Plot?", "Who?"),
        ("/wiki/Who?_(film)?action=raw#Plot", "/wiki/Who%3F_(film)?action=raw#Plot", "Who? (film)"),
        ("/wiki/Who?/Why", "/wiki/Who%3F/Why", "Who?/Why"),
        ("/wiki/Who?_&_Co", "/wiki/Who%3F_&_Co", "Who? & Co"),
    ],
)
def test_a_question_mark_in_the_title(url, address, title):
    for site in (SITE, "{origin}", ""):
        assert article_address(site + url) == site + address
        assert article_address(site + address) == site + address
        assert article_title(site + url) == article_title(site + address) == title


@pytest.mark.parametrize(
    ("url", "title"),
    [
        ("/wiki/Fog", "Fog"),
        ("/wiki/Fog?oldid=12", "Fog"),
        ("/wiki/Fog?action=edit&section=2&x", "Fog"),
        ("/wiki/Fog?action=raw?x", "Fog"),
        ("/wiki/Fog?utm_source=a.b", "Fog"),
        ("/wiki/Fog#What?", "Fog"),
        ("/wiki/?curid=3", ""),
        ("/w/index.php?title=Fog&oldid=12", ""),
        ("/w/index.php?title=Who?", ""),
        ("/w/index.php?returnto=/wiki/Fog?", ""),
        ("/search?Fog", ""),
    ],
)
def test_a_query_string_is_kept(url, title):
    for site in (SITE, "{origin}"):
        assert article_address(site + url) == site + url
        assert article_title(site + url) == title


def test_the_search_for_a_title_with_a_question_mark():
    title = article_title(f"{SITE}/wiki/What's_Up,_Doc?_(1972_film)")
    assert search_for(title, None, "ytsearch1:{title} soundtrack") == "ytsearch1:What's Up, Doc? (1972 film) soundtrack"
