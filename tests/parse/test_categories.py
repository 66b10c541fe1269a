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


def test_those_of_the_script_if_the_page_shows_none():
    names = ["Articles with hCards", "1931 films", 'Films about "fog"', "Y\u014dkai films"]
    script = f'<script>RLCONF={{"wgTitle":"Fog","wgCategories":{json.dumps(names)},"a":[1]}};</script>'
    assert shown(script) == ["1931 films", 'Films about "fog"', "Yōkai films"]
    assert shown('<script>"wgCategories":["a\\q"]</script>') == []
    assert shown('<script>"wgCategories":[broken</script>') == []


def test_hidden_ones_are_left_out_of_the_scripts():
    script = '<script>RLCONF={"wgCategories":["Odd fog list","Articles with hCards","1931 films"]};</script>'
    hidden = HIDDEN.replace("Articles with hCards", "Odd fog list")
    assert shown(f'{script}<div id="catlinks">{hidden}</div>') == ["1931 films"]
    assert shown(script.replace("fog list", "fog films")) == ["Odd fog films", "1931 films"]


def test_categories_that_mark_a_list_of_articles_are_kept():
    script = '<script>RLCONF={"wgCategories":["Set index articles","Disambiguation pages","All set index articles"]};'
    assert shown(f"{script}</script>") == ["Set index articles", "Disambiguation pages"]


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
        "CS1: long volume value",
        "Metacritic ID same as Wikidata",
        "IMDb title ID different from Wikidata",
        "Rotten Tomatoes template using name parameter",
        "Bollywood Hungama title ID not in Wikidata",
        "Official website different in Wikidata and Wikipedia",
        "Coordinates on Wikidata",
        "Commons category link is the pagename",
        "Album articles lacking alt text for covers",
        "Album infoboxes lacking a cover",
        "Music infoboxes with deprecated parameters",
        "Pages using infobox film with unknown parameters",
        "Articles using Infobox film with deprecated parameters",
        "Redundant infobox title param",
        "Track listings with input errors",
        "Track listings that use the collapsed parameter",
        "Certification Table Entry usages for United States",
        "Certification Cite Ref usages outside Certification Table Entry",
        "Single chart usages for Flanders",
        "Episode list using the default LineColor",
        "Listen template using plain parameter",
        "Spoken articles",
        "Television episode articles with short description for single episodes",
        "Film articles using image size parameter",
        "Wikipedia articles without plot summaries from July 2023",
        "Wikipedia pages semi-protected against vandalism",
        "All BLP articles lacking sources",
        "Copied and pasted articles and sections with url provided",
        "Harv and Sfn no-target errors",
        "Lang and lang-xx template errors",
        "Interlanguage link template existing link",
        "Instances of Lang-ja using second unnamed parameter",
        "Ill-formatted IPAc-en transclusions",
        "Portal templates with all redlinked portals",
        "Vague or ambiguous time from May 2014",
        "Use Hiberno-English from July 2013",
        "Use shortened footnotes from May 2021",
        "AC with 16 elements",
        "Unprintworthy redirects",
        "All NPOV disputes",
        "Subscription required using via",
    ],
)
def test_maintenance(name):
    assert is_maintenance(name)


@pytest.mark.parametrize(
    "name",
    [
        "1985 films",
        "Films about Wikipedia",
        "Good Universe films",
        "Films set in May 1968",
        "Films based on newspaper and magazine articles",
        "Films based on The Comedy of Errors",
        "Films about missing people",
        "Films without speech",
        "Films set in protected areas",
        "Films with screenplays by Ada Roe",
        "Featured films",
        "BFI-funded films",
        "Facebook in fiction",
        "House of Commons films",
        "Disambiguation pages",
        "Set index articles",
    ],
)
def test_topics(name):
    assert not is_maintenance(name)
