import pytest
from bs4 import BeautifulSoup

from pipeline.parse.article import parse_article, visible_categories, without_disambiguator
from pipeline.parse.plot import find_plot

INFOBOX = """<table class="infobox vevent"><tbody><tr><th colspan="2" class="infobox-above summary">Fog</th></tr>
<tr><th scope="row">Directed by</th><td>Ada Roe</td></tr>
<tr><th scope="row">Release date</th><td><ul><li>3 May 1931</li><li>1930 (Rome)</li></ul></td></tr>
</tbody></table>"""
CATLINKS = (
    '<div id="catlinks"><div id="mw-normal-catlinks"><a href="/wiki/Help:Category">Categories</a>: <ul>{}</ul></div>\
<div id="mw-hidden-catlinks">Hidden: <ul><li><a>Articles with short description</a></li></ul></div></div>'
)

PLOT = "<p>One.</p><p>Two.</p>"
EDIT = '<span class="mw-editsection"><span>[</span><a>edit</a><span>]</span></span>'
SHAPES = {
    "headline": f'<h2><span class="mw-headline" id="Plot">Plot</span>{EDIT}</h2>{PLOT}<h2>Cast</h2><p>No.</p>',
    "edit link first": '<h2><span class="editsection">[<a>edit</a>]</span> <span class="mw-headline">Plot</span></h2>'
    f"{PLOT}<h2>Cast</h2><p>No.</p>",
    "wrapped": f'<div class="mw-heading mw-heading2"><h2 id="Plot">Plot</h2>{EDIT}</div>{PLOT}'
    '<div class="mw-heading mw-heading2"><h2 id="Cast">Cast</h2></div><p>No.</p>',
    "section": f'<section><p>Lead.</p></section><section data-mw-section-id="1"><h2 id="Plot">Plot</h2>{PLOT}</section>'
    "<section><h2>Cast</h2><p>No.</p></section>",
    "mobile": f'<div class="mw-heading"><h2>Plot</h2></div><section>{PLOT}</section>'
    '<div class="mw-heading"><h2>Cast</h2></div><section><p>No.</p></section>',
    "meaningless id": f'<h2 id="mwAb">Plot</h2>{PLOT}<h2 id="mwAc">Cast</h2><p>No.</p>',
}


def page(body, categories=(), heading="Fog (1931 film)"):
    links = "".join(f'<li><a href="/wiki/Category:X">{name}</a></li>' for name in categories)
    return (
        f'<html><head><title>{heading} - Wikipedia</title></head><body><h1 id="firstHeading"><i>{heading}</i></h1>'
        f'<div id="mw-content-text"><div class="mw-parser-output"><p>Lead.</p>{body}</div></div>'
        f"{CATLINKS.format(links) if categories else ''}</body></html>"
    )


def plot_of(body):
    return find_plot(BeautifulSoup(page(body), "lxml"))


@pytest.mark.parametrize("shape", SHAPES)
def test_plot_in_every_shape_of_heading(shape):
    assert plot_of(SHAPES[shape]) == "One.\nTwo."


@pytest.mark.parametrize(
    "words",
    [
        "Plot",
        "Synopsis",
        "Plot summary",
        "Film synopsis",
        "Premise",
        "Story",
        "Plot synopsis",
        "Summary",
        "PLOT",
        "Plot:",
    ],
)
def test_words_of_the_heading(words):
    assert plot_of(f"<h2>{words}</h2>{PLOT}") == "One.\nTwo."


@pytest.mark.parametrize("words", ["Cast", "Plot and themes", "Subplot", "History", "Critical summary"])
def test_other_headings_are_no_plot(words):
    assert plot_of(f"<h2 id='Plot'>{words}</h2>{PLOT}") == ""


def test_the_better_word_wins_and_an_empty_section_gives_way():
    assert plot_of(f"<h2>Premise</h2><p>Worse.</p><h2>Plot</h2>{PLOT}") == "One.\nTwo."
    assert plot_of(f'<h2>Plot</h2><p class="mw-empty-elt"></p><h2>Synopsis</h2>{PLOT}') == "One.\nTwo."


def test_only_paragraphs_of_the_section_itself():
    body = (
        '<h2>Plot</h2><!-- a note --><table class="ambox"><tr><td><p>Too long.</p></td></tr></table>'
        '<div class="thumb"><div class="thumbcaption"><p>A caption.</p></div></div><p>One.</p>'
        "<blockquote><p>A quotation.</p></blockquote><ul><li>An item.</li></ul><p>Two.</p>"
    )
    assert plot_of(body) == "One.\nTwo."


@pytest.mark.parametrize(
    "body",
    [
        "<h2>Plot</h2><h3>Act one</h3><p>One.</p><h3>Act two</h3><p>Two.</p><h2>Cast</h2><p>No.</p>",
        "<section><h2>Plot</h2><section><h3>Act one</h3><p>One.</p></section><section><h3>Act two</h3><p>Two.</p>"
        "</section></section><section><h2>Cast</h2><p>No.</p></section>",
    ],
)
def test_subheadings_belong_to_the_plot(body):
    assert plot_of(body) == "One.\nTwo."


def test_a_plot_below_a_subheading_ends_with_the_next():
    assert plot_of("<h2>Content</h2><h3>Plot</h3><p>One.</p><h3>Cast</h3><p>No.</p>") == "One."


@pytest.mark.parametrize(
    "mark",
    [
        '<sup class="reference" id="cite_ref-8"><a href="#cite_note-8">[8]</a></sup>',
        '<sup class="reference"><a href="#cite_note-8"><span class="cite-bracket">[</span>8<span>]</span></a></sup>',
        '<sup class="mw-ref reference"><a href="./Fog#cite_note-8"><span>[Note 1]</span></a></sup>',
        '<sup class="noprint Inline-Template">[<i><a>citation needed</a></i>]</sup>',
        '<sup class="reference">8</sup>',
        "<sup>[a]</sup>",
        '<a href="#cite_note-8">[8]</a>',
        "<style>.a{color:red}</style>",
        "<!-- comment -->",
        '<span style="display:none">hidden</span>',
    ],
)
def test_marks_are_removed(mark):
    assert plot_of(f"<h2>Plot</h2><p>He [sic] leaves{mark} in 10<sup>th</sup>  gear,<br>\n slowly.</p>") == (
        "He [sic] leaves in 10th gear, slowly."
    )


def test_visible_categories_in_page_order():
    html = page("", ["1931 films", "British mystery films"])
    assert visible_categories(BeautifulSoup(html, "lxml")) == ["1931 films", "British mystery films"]


def test_categories_without_a_list():
    html = (
        '<div id="mw-normal-catlinks"><a>Categories</a>: <span><a>1931 films</a></span> | <span><a>Fog</a></span></div>'
    )
    assert visible_categories(BeautifulSoup(html, "lxml")) == ["1931 films", "Fog"]


def test_categories_of_parsoid_leave_out_those_of_templates():
    html = """<section><span about="#mwt1"><link rel="mw:PageProp/Category" href="./Category:Short_description"/></span>
    <link rel="mw:PageProp/Category" href="./Category:Use_dmy_dates" about="#mwt2"/>
    <link rel="mw:PageProp/Category" href="./Category:1931_films#Fog"/>
    <link rel="mw:PageProp/Category" href="./Category:Y%C5%8Dkai:_a_genre"/></section>"""
    assert visible_categories(BeautifulSoup(html, "lxml")) == ["1931 films", "Yōkai: a genre"]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Fog (film)", "Fog"),
        ("Fog (1931 film)", "Fog"),
        ("Fog (2001 Indian animated film)", "Fog"),
        ("Fog (Of War)", "Fog (Of War)"),
        ("(500) Days of Fog", "(500) Days of Fog"),
        ("Fog (film series)", "Fog (film series)"),
    ],
)
def test_disambiguator(title, expected):
    assert without_disambiguator(title) == expected


@pytest.mark.parametrize(
    ("categories", "infobox", "heading", "year"),
    [
        (["Fog", "1932 mystery films", "1931 films", "1933 films"], INFOBOX, "Fog", 1931),
        (["1930s mystery films"], INFOBOX, "Fog", 1930),
        (["1930s mystery films"], "", "Fog (1931 film)", 1931),
        (["1930s mystery films"], "", "Fog of 1931", None),
    ],
)
def test_year(categories, infobox, heading, year):
    assert parse_article(page(infobox, categories, heading)).year == year


def test_title_falls_back_to_the_head_and_the_infobox():
    assert parse_article(f"<title>Fog (film) - Wikipedia, the free encyclopedia</title>{INFOBOX}").title == "Fog (film)"
    assert parse_article(INFOBOX).title == "Fog"


SERIES = INFOBOX.replace("<tr><th scope", '<tr><th scope="row">No. of episodes</th><td>9</td></tr><tr><th scope', 1)
GAME = '<table class="infobox hproduct"><tr><td>Developer(s)</td><td>Konami</td></tr></table>'


@pytest.mark.parametrize(
    ("body", "categories", "kind"),
    [
        (INFOBOX, [], "film"),
        ("", ["1931 films"], "film"),
        ("", ["1930s British comedy films"], "film"),
        (SERIES, ["1931 British television series debuts"], "not_a_film"),
        (GAME + f"<h2>Plot</h2>{PLOT}", ["2003 video games", "Video games based on films"], "not_a_film"),
        ("", ["20th-century American film directors"], "not_a_film"),
        ("", ["Lists of 2007 films by country"], "not_a_film"),
        ('<table id="disambigbox"></table>', ["Fog"], "disambiguation"),
        ("", ["Disambiguation pages"], "disambiguation"),
        ("", ["Disambiguation pages with short descriptions", "1931 films"], "disambiguation"),
        ('<div class="noarticletext">Wikipedia does not have an article</div>', [], "missing"),
    ],
)
def test_kinds_of_pages(body, categories, kind):
    assert parse_article(page(body, categories)).kind == kind


@pytest.mark.parametrize("html", ["", "   ", "<", "<html>", "not html \x00 at all", "<h2>Plot" + "<div>" * 3000])
def test_anything_can_be_parsed(html):
    article = parse_article(html)
    assert (article.kind, article.plot) == ("not_a_film", "")
