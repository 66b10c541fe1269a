import pytest

from pipeline.apps.corpus.article import Article, NotAnArticleError, article_of, why_no_film

EN = "https://en.wikipedia.org"


@pytest.mark.parametrize(
    "url",
    [
        "https://en.wikipedia.org/wiki/Metropolis_(1927_film)",
        "http://en.wikipedia.org/wiki/Metropolis_(1927_film)",
        "https://en.m.wikipedia.org/wiki/Metropolis_(1927_film)",
        "https://EN.Wikipedia.org:443/wiki/metropolis__(1927_film)_",
        "https://en.wikipedia.org/wiki/Metropolis%20%281927%20film%29?useskin=vector#Plot",
    ],
)
def test_one_article_in_many_spellings(url):
    article = article_of(url)
    assert article == Article(EN, "Metropolis (1927 film)")
    assert article.url == "https://en.wikipedia.org/wiki/Metropolis_(1927_film)"


@pytest.mark.parametrize(
    ("path", "title", "written"),
    [
        ("Am%C3%A9lie", "Amélie", "Am%C3%A9lie"),
        ("Ame%CC%81lie", "Amélie", "Am%C3%A9lie"),
        ("Amélie", "Amélie", "Am%C3%A9lie"),
        ("Face/Off", "Face/Off", "Face/Off"),
        ("Face%2FOff", "Face/Off", "Face/Off"),
        ("50%25", "50%", "50%25"),
        ("What%3F_(film)", "What? (film)", "What%3F_(film)"),
        ("Fast_%26_Furious", "Fast & Furious", "Fast_%26_Furious"),
        ("Romeo_%2B_Juliet", "Romeo + Juliet", "Romeo_%2B_Juliet"),
        ("Summer_of_%2742", "Summer of '42", "Summer_of_'42"),
        ("ßcharfe_Sache", "ßcharfe Sache", "%C3%9Fcharfe_Sache"),
        ("2001:_A_Space_Odyssey", "2001: A Space Odyssey", "2001:_A_Space_Odyssey"),
        ("S.O.S.", "S.O.S.", "S.O.S."),
    ],
)
def test_titles_that_need_care(path, title, written):
    article = article_of(f"{EN}/wiki/{path}")
    assert (article.title, article.url) == (title, f"{EN}/wiki/{written}")
    assert article_of(article.url) == article


def test_other_sites_keep_their_scheme_and_port():
    assert article_of("http://127.0.0.1:8000/wiki/Fog") == Article("http://127.0.0.1:8000", "Fog")
    assert article_of("http://[::1]:80/wiki/Fog").site == "http://[::1]:80"
    assert article_of("{origin}/wiki/Fog") == Article("{origin}", "Fog")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "Fog",
        "../../x",
        "ftp://en.wikipedia.org/wiki/Fog",
        "file:///etc/passwd",
        "https://en.wikipedia.org/",
        "https://en.wikipedia.org/w/index.php?title=Fog",
        "https://en.wikipedia.org/wiki/",
        "https://en.wikipedia.org/wiki/_",
        "https://en.wikipedia.org/wiki/../../x",
        "https://en.wikipedia.org/wiki/%2e%2e",
        "https://en.wikipedia.org/wiki/a/%2E/b",
        "https://en.wikipedia.org/wiki/%00",
        "https://en.wikipedia.org/wiki/a%7Cb",
        "https://en.wikipedia.org/wiki/a%0Ab%7F",
        "https://en.wikipedia.org/wiki/%FF%FE",
        "https://en.wikipedia.org/wiki/:Fog",
        "https://en.wikipedia.org/wiki/" + "x" * 256,
        "https://en.wikipedia.org/wiki/" + "x" * 10_000,
        "https://en.wikipedia.org:99999/wiki/Fog",
        "https:///wiki/Fog",
        "https://en.wikipedia.org/wiki/\ud800",
        "https://en.wikipedia.org/wiki/\u202e\x07",
    ],
)
def test_not_an_article(url):
    with pytest.raises(NotAnArticleError) as caught:
        article_of(url)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("Category:1999 films", "a page of Category:"),
        ("File:Fog.jpg", "a page of File:"),
        ("Wikipedia:WikiProject Film", "a page of Wikipedia:"),
        ("Special:Random", "a page of Special:"),
        ("Talk:Fog", "a page of Talk:"),
        ("User talk:Fog", "a page of User talk:"),
        ("List of 1999 films", "a list"),
        ("Lists of films", "a list"),
        ("Fog (disambiguation)", "disambiguation"),
    ],
)
def test_not_a_film(title, reason):
    assert reason in why_no_film(title)


def test_films_whose_titles_look_like_something_else():
    titles = ("Mission: Impossible (film)", "Help! (film)", "Talk to Her", "Schindler's List", "User (film)", "Listen")
    assert [why_no_film(title) for title in titles] == [None] * len(titles)


@pytest.mark.parametrize(
    "url", ["What's_Up,_Doc?_(1972_film)", "What's_Up,_Doc%3F_(1972_film)", "What's_Up,_Doc?_(1972_film)?x=1"]
)
def test_a_question_mark_of_a_title(url):
    article = article_of(f"https://en.wikipedia.org/wiki/{url}")
    assert article.title == "What's Up, Doc? (1972 film)"
    assert article.url == "https://en.wikipedia.org/wiki/What's_Up,_Doc%3F_(1972_film)"
