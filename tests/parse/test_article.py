import pytest

from pipeline.parse.article import parse_article

URL = "https://en.wikipedia.org/wiki/Mist_%281930_film%29"
INFOBOX = """<table class="infobox vevent"><tbody><tr><th colspan="2" class="infobox-above summary">Fog</th></tr>
<tr><th scope="row">Directed by</th><td>Ada Roe</td></tr>
<tr><th scope="row">Release date</th><td><ul><li>3 May 1931<sup class="reference">[1899]</sup></li>
<li>1930 (Rome)</li></ul></td></tr></tbody></table>"""


def page(body="", categories=(), heading="<i>Fog</i> (1931 film)"):
    links = "".join(f'<li><a href="/wiki/Category:X">{name}</a></li>' for name in categories)
    catlinks = f'<div id="mw-normal-catlinks"><a>Categories</a>: <ul>{links}</ul></div>' if categories else ""
    return f'<h1 id="firstHeading">{heading}</h1><div id="mw-content-text"><p>Lead.</p>{body}</div>{catlinks}'


@pytest.mark.parametrize(
    ("categories", "infobox", "heading", "year"),
    [
        (["Fog", "1930 mystery films", "1932 films", "1931 films"], INFOBOX, "Fog", 1931),
        (["1932 mystery films", "1931 British films"], INFOBOX, "Fog", 1931),
        (["1931 fogs", "1930s mystery films"], INFOBOX, "Fog", 1930),
        (["1930s mystery films"], "", "Fog (1931 film)", 1931),
        (["1930s mystery films"], "", "Fog of 1931", None),
        (["9999 films"], "", "Fog", None),
    ],
)
def test_year(categories, infobox, heading, year):
    assert parse_article(page(infobox, categories, heading), URL).year == year


@pytest.mark.parametrize(
    "label", ["Release date", "Release date(s)", "Release&#160;dates", "Released", "Original release"]
)
def test_labels_of_the_release(label):
    box = INFOBOX.replace("Release date", label)
    assert parse_article(page(box, heading="Fog"), URL).year == 1930


def test_year_of_a_later_infobox():
    soundtrack = '<table class="infobox"><tr><th>Released</th><td>1990</td></tr></table>'
    unreleased = INFOBOX.replace("Release date", "Country")
    assert parse_article(page(INFOBOX + soundtrack), URL).year == 1930
    assert parse_article(page(unreleased + soundtrack), URL).year == 1990


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ('<h1 id="firstHeading"><i>Fog</i>&#32;&amp;&nbsp;Mist (1931&#32;film)</h1>', "Fog & Mist (1931 film)"),
        ('<h1 class="firstHeading mw-first-heading"><span class="mw-page-title-main">Fog</span></h1>', "Fog"),
        ('<h1 id="firstHeading"><style>i{}</style><i>Fog</i><sup class="reference">[1]</sup></h1>', "Fog"),
        ("<head><title>Fog (film) - Wikipedia, the free encyclopedia</title></head>" + INFOBOX, "Fog (film)"),
        ("<head><title>Fog – Wikipedia</title></head>", "Fog"),
        ('<h1 id="firstHeading"> </h1>' + INFOBOX, "Mist (1930 film)"),
        (INFOBOX, "Mist (1930 film)"),
    ],
)
def test_title(html, title):
    assert parse_article(html, URL).title == title


def test_title_where_the_url_has_none():
    assert parse_article(INFOBOX, "https://en.wikipedia.org/w/index.php?curid=1").title == "Fog"


def test_bare_article_takes_its_year_from_the_infobox_and_its_kind_from_the_title():
    article = parse_article(INFOBOX.replace("Directed by", "Country"), URL)
    assert (article.kind, article.title, article.year) == ("film", "Mist (1930 film)", 1930)
