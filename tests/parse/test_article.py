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


@pytest.mark.parametrize(
    ("lead", "year"),
    [
        ("Fog is a (1962) experimental film directed by B. C.", 1962),
        ("Fog is a 1962 American film about the fire of 1906.", 1962),
        ("Fog (1962) is an experimental film directed by B. C.", 1962),
        ("Fog (French: Brume, 1962) is a film.", 1962),
        ("Fog is a film of 1962, based on a novel of 1897.", 1962),
        ("Fog is an American short film (1962) by Ada Roe (1878–1967).", 1962),
        ("Fog is a documentary film released on 3 May 1962 in Rome.", 1962),
        ("Fog is a film directed by Ada Roe and released in 1962.", 1962),
        ("Fog is a film made by Ada Roe in 1961 and first shown in May 1962.", 1962),
        ("Released in 1962, Fog is a film set in 1906.", 1962),
        ("Mr. Fog vs. Mrs. Mist is a film by Dr. A. Roe, released in 1962. It is set in 1906.", 1962),
        ("Fog, a 1962 film by Ada Roe, is lost.", 1962),
        ("1941 is a film by Ada Roe.", None),
        ("Fog is a film set in 1906.", None),
        ("Fog is a film based on the 1897 novel.", None),
        ("Fog is an adaptation of the 1897 novel, and a film.", None),
        ("Fog is a film directed by Ada Roe (1878–1967).", None),
        ("Fog is a film directed by Ada Roe about the 1906 fire.", None),
        ("Fog is a 1960s film.", None),
        ("Fog is a film by Dr. Roe, released in 1962.", 1962),
        ("Fog is a film by Ada Roe. The fire was shown in 1906.", None),
        ("Fog.", None),
    ],
)
def test_year_of_the_first_sentence_if_nothing_else_gives_it(lead, year):
    html = page(heading="Fog (film)").replace("Lead.", lead)
    assert parse_article(html, URL).year == year
    assert parse_article(page(categories=["1931 films"]).replace("Lead.", lead), URL).year == 1931
    assert parse_article(page(INFOBOX, heading="Fog").replace("Lead.", lead), URL).year == 1930
    assert parse_article(html.replace("(film)", "(1933 film)"), URL).year == 1933


def test_year_of_the_short_description():
    described = '<div class="shortdescription">1962 film by Ada Roe</div>'
    assert parse_article(page(described, heading="Fog (film)"), URL).year == 1962


def test_the_first_sentence_dates_only_films():
    assert parse_article(page(heading="Fog (novel)").replace("Lead.", "Fog is a 1962 film."), URL).year is None


ENGLISH = "https://en.wikipedia.org/wiki/Fog"


@pytest.mark.parametrize(
    ("html", "url", "says"),
    [
        ('<html lang="fr">', ENGLISH, "`fr`"),
        ('<html lang="id">', "{origin}/wiki/Fog", "`id`"),
        ('<html lang="de-AT">', "", "`de`"),
        ('<html lang="ZH_hant">', "", "`zh`"),
        ("<html>", "https://fr.wikipedia.org/wiki/Brume_(film)", "fr.wikipedia.org"),
        ("<html>", "https://zh-yue.m.wikipedia.org/wiki/Fog", "zh-yue.m.wikipedia.org"),
        ('<html lang="en">', "https://de.wikipedia.org/wiki/Nebel", "de.wikipedia.org"),
        ('<html lang="en"><body><div id="mw-content-text" lang="fr">', ENGLISH, "`fr`"),
        ('<html lang="en"><body lang="fr">', ENGLISH, "`fr`"),
    ],
)
def test_a_page_in_another_language(html, url, says):
    text = html + page(INFOBOX, ["1931 films"])
    found = parse_article(text, url)
    assert found.kind == "other_language"
    assert says in found.evidence


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ("<html>", ""),
        ("<html>", ENGLISH),
        ("<html>", "https://example.org/wiki/Fog"),
        ("<html>", "https://[broken/wiki/Fog"),
        ('<html lang="en">', ENGLISH),
        ('<html lang="en-GB">', "{origin}/wiki/Fog"),
        ('<html lang="">', ENGLISH),
        ('<html lang="und">', ENGLISH),
        ('<html lang="no language at all">', ENGLISH),
        ('<html lang="en">', "https://simple.wikipedia.org/wiki/Fog"),
        ('<html lang="en">', "https://en.m.wikipedia.org/wiki/Fog"),
        ('<html lang="fr"><body><div class="mw-content-ltr mw-parser-output" lang="en">', ENGLISH + "?uselang=fr"),
        ('<html lang="en"><body><i lang="fr">Brume</i>', ENGLISH),
    ],
)
def test_a_page_in_english(html, url):
    assert parse_article(html + page(INFOBOX, ["1931 films"]), url).kind == "film"


def test_a_missing_page_in_another_language_is_missing():
    assert parse_article('<html lang="fr"><div class="noarticletext"></div>', "").kind == "missing"


def test_simple_english_says_movies():
    found = parse_article(page(categories=["1931 comedy movies"], heading="Fog"), "https://simple.wikipedia.org/wiki/X")
    assert (found.kind, found.year) == ("film", 1931)
    found = parse_article(page(categories=["1930 comedy movies", "1931 movies"], heading="Fog"), URL)
    assert (found.kind, found.year) == ("film", 1931)
