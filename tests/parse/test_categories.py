import json

import pytest

from pipeline.media.pages import read_tree
from pipeline.parse.categories import is_maintenance, visible_categories

HIDDEN = '<div id="mw-hidden-catlinks">Hidden: <ul><li><a>Articles with hCards</a></li></ul></div>'


def shown(html):
    return visible_categories(read_tree(html))


def test_visible_ones_in_page_order():
    links = "".join(f"<li><a href='/wiki/C'>{name}</a></li>" for name in ("1931 films", "Fog &amp; mist", "Fog stubs"))
    box = f'<div id="mw-normal-catlinks"><a href="/wiki/Help:Category">Categories</a>: <ul>{links}</ul></div>'
    assert shown(f'<div id="catlinks">{box}{HIDDEN}</div>') == ["1931 films", "Fog & mist", "Fog stubs"]
    assert shown(f'<div id="catlinks">{HIDDEN}</div>') == []


@pytest.mark.parametrize("name", ["mw-normal-catlinks", "catlinks"])
def test_links_without_a_list(name):
    html = f'<div id="{name}"><a>Categories</a>: <span><a>1931 films</a></span> | <span><a>Fog</a></span></div>'
    assert shown(html) == ["1931 films", "Fog"]


def test_parsoid_leaves_out_those_of_templates_and_of_maintenance():
    html = """<html about="x"><section><span about="#mwt1"><b><link rel="mw:PageProp/Category" href="./Category:A"/></b>
    </span><link rel="mw:PageProp/Category" href="./Category:B" about="#mwt2"/>
    <link rel="mw:PageProp/Category" href="./Category:1931_films#Fog"/>
    <link rel="mw:PageProp/Category" href="https://en.wikipedia.org/wiki/Category:Y%C5%8Dkai:_a_genre"/>
    <link rel="mw:PageProp/Category" href="./Category:Articles_with_short_description"/></section></html>"""
    assert shown(html) == ["1931 films", "Yōkai: a genre"]


def test_those_of_the_script_where_the_page_shows_none():
    names = ["Articles with hCards", "1931 films", 'Films about "fog"', "Y\u014dkai films"]
    script = f'<script>RLCONF={{"wgTitle":"Fog","wgCategories":{json.dumps(names)},"a":[1]}};</script>'
    assert shown(script) == ["1931 films", 'Films about "fog"', "Yōkai films"]
    assert shown('<script>"wgCategories":["a\\q"]</script>') == []
    assert shown('<script>"wgCategories":[broken</script>') == []


@pytest.mark.parametrize(
    "name",
    [
        "Articles with dead external links from October 2010",
        "All articles with unsourced statements",
        "Wikipedia articles with plot summary needing attention from December 2009",
        "Short description matches Wikidata",
        "Template film date with 3 release dates",
        "Use American English from January 2025",
        "Use mdy dates from April 2023",
        "Commons category link is on Wikidata",
        "Good articles",
        "1940s drama film stubs",
        "CS1 maint: archived copy as title",
    ],
)
def test_maintenance(name):
    assert is_maintenance(name)


@pytest.mark.parametrize(
    "name", ["1985 films", "Films about Wikipedia", "Good Universe films", "Films set in May 1968"]
)
def test_topics(name):
    assert not is_maintenance(name)
