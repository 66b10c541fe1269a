"""Kinds of articles, with categories of real articles of each kind."""

import pytest

from pipeline.parse.article import parse_article


def box(*labels):
    rows = "".join(f"<tr><th>{label}</th><td>Somebody</td></tr>" for label in labels)
    return f'<table class="infobox"><tr><th colspan="2">Fog</th></tr>{rows}</table>'


FILM = box("Directed by", "Starring", "Release date")
TV_FILM = box("Genre", "Directed by", "Original network", "Original release")
SERIES = box("Directed by", "Starring", "<abbr>No.</abbr> of seasons", "No. of episodes")
EPISODE = box("Episode no.", "Directed by", "Production code")
GAME = box("Developer(s)", "Publisher(s)", "Director(s)", "Platform(s)")
PERSON = box("Born", "Occupation")
COMPANY = box("Type", "Industry", "Founded", "Headquarters")
NOVEL = box("Author", "Publisher", "Pages")


def article(categories=(), body="", title="Fog", lead="Fog is something."):
    links = "".join(f"<li><a>{name}</a></li>" for name in categories)
    catlinks = f'<div id="mw-normal-catlinks"><a>Categories</a>: <ul>{links}</ul></div>' if categories else ""
    html = f'<h1 id="firstHeading">{title}</h1><div id="mw-content-text">{body}<p>{lead}</p></div>{catlinks}'
    return parse_article(html, "https://en.wikipedia.org/wiki/Fog")


FILMS = {
    "year": (["1931 films"], ""),
    "year and more": (["1931 British comedy films"], ""),
    "decade": (["1930s British comedy films", "Fog"], ""),
    "road movie": (["1990s comedy road movies"], ""),
    "on a person": (["2012 films", "Cultural depictions of Abraham Lincoln", "Biographical films about people"], FILM),
    "on a game": (["2001 films", "Films based on video games", "Live-action films based on video games"], FILM),
    "on games": (["2012 films", "Fictional video games", "Films about video games"], FILM),
    "on games, unreleased": (["Upcoming films", "Fictional video games", "Films about video games"], ""),
    "on a series": (["1998 films", "Films based on television series", "The X-Files (franchise) films"], FILM),
    "of a series": (["2002 films", "Spider-Man (2002 film series)", "Spider-Man films"], FILM),
    "television": (["2003 television films", "2003 films", "American television films"], TV_FILM),
    "television, decade": (["2000s American television films", "HBO Films films"], TV_FILM),
    "television pilot": (["1991 films", "1990s American television pilots"], TV_FILM),
    "direct to video": (["2000s direct-to-video animated films", "Direct-to-video sequel films"], FILM),
    "documentary": (["1922 documentary films", "American silent documentary films"], FILM),
    "short": (["1902 short films", "French science fiction short films"], ""),
    "serial": (["1936 films", "Film serials", "Universal Pictures film serials"], FILM),
    "anthology": (["1994 films", "American anthology films"], FILM),
    "unreleased": (["Upcoming films", "Films based on American novels", "Films shot in Malta"], FILM),
    "unfinished": (["Unfinished films", "Films about fog"], ""),
    "anime": (["2001 anime films", "Anime films", "Isekai anime and manga"], FILM),
    "of a manga": (["1983 anime films", "1973 manga"], box("Written by", "Published by") + FILM),
    "infobox only": ([], FILM),
    "infobox and other categories": (["Fog in fiction"], FILM),
    "with an album's infobox": (["2001 films"], FILM + box("Released", "Genre", "Producer")),
    "hatnote on a game": (["2001 films"], '<div class="hatnote">For the video game, see Fog.</div>' + FILM),
}
OTHERS = {
    "TV series": (
        "series",
        ["2010s American drama television series", "2010 American television series debuts"],
        SERIES,
    ),
    "TV series, old infobox": ("series", ["1950s British children's television series"], FILM),
    "TV series of films": ("series", ["Television series based on films", "Television shows set in Ohio"], SERIES),
    "miniseries": ("series", ["1990 films", "1990s American television miniseries"], SERIES),
    "web series": ("series", ["American comedy web series", "2011 web series debuts"], SERIES),
    "episode": ("series", ["1999 American television episodes", "The X-Files season 6 episodes"], EPISODE),
    "season": ("series", ["2008 American television seasons"], box("No. of episodes")),
    "anime series": ("series", ["2002 anime television series debuts", "2000 manga"], box("Directed by", "Episodes")),
    "film series": ("series", ["Film series introduced in 1977", "American film series"], FILM),
    "film series, decade": ("series", ["1970s American films", "American film series"], FILM),
    "franchise": (
        "series",
        ["Mass media franchises introduced in 1977", "Films about fog"],
        box("Created by", "Films"),
    ),
    "infobox of a series": ("series", [], SERIES),
    "game": ("game", ["2003 video games", "Konami games", "Video games with cel-shaded graphics"], GAME),
    "game of a film": ("game", ["2003 video games based on films", "Video games based on films"], GAME),
    "infobox of a game": ("game", [], GAME),
    "director": ("person", ["1950 births", "Living people", "20th-century American film directors"], PERSON),
    "dead director": ("person", ["1878 births", "1967 deaths", "British film directors"], PERSON),
    "unknown birth": ("person", ["Year of birth missing (living people)", "Actors from Ohio"], ""),
    "infobox of a person": ("person", [], PERSON),
    "novel": ("not_a_film", ["1961 American novels", "British novels adapted into films"], NOVEL),
    "play": ("not_a_film", ["1951 plays", "Broadway plays", "Plays adapted into films"], box("Written by")),
    "album": ("not_a_film", ["2007 soundtrack albums", "Film scores"], box("Released", "Genre", "Label")),
    "list": ("not_a_film", ["Lists of 2007 films by country", "Lists of films"], ""),
    "year": ("not_a_film", ["2007 in film", "2007-related lists"], ""),
    "place": ("not_a_film", ["Villages in Ohio", "Populated places established in 1931"], box("Country", "Area")),
    "company": ("not_a_film", ["Film production companies of the United States"], box("Founded")),
    "character": ("not_a_film", ["Film characters introduced in 1977", "Characters in Fog films"], box("Portrayed by")),
}


UNDATED = {  # articles in a category of films without a year: kind, title, lead
    "studio": ("not_a_film", "Fog Pictures", "Fog Pictures, Inc. is an American film studio in Ohio."),
    "company": ("not_a_film", "Fog", "Fog is a film production, distribution, and exhibition company."),
    "company of many trades": ("not_a_film", "Fog", "Fog Co., Ltd. is a Japanese film, television and music company."),
    "producer": ("not_a_film", "Fog", "Fog is a film production outfit."),
    "distributor": ("not_a_film", "Fog", "Fog was a British film distributor that released films."),
    "character": ("not_a_film", "Fog", "Fog is a fictional character who appears in a series of films."),
    "novel": ("not_a_film", "Fog", "Fog is a 1931 novel by Ada Roe, made into a film."),
    "genre": ("not_a_film", "Fog film", "A fog film is a film genre."),
    "topic": ("not_a_film", "Fog film", "A fog film is a film that shows fog."),
    "technique": ("not_a_film", "Fog", "Fog is an effect in films."),
    "director": ("person", "Ada Roe", "Ada Roe is a British film director."),
    "films of a hero": ("series", "Fog", "Fog is a film series about a detective."),
    "programme": ("series", "Fog", "Fog is a Canadian television programme on films."),
    "nothing said": ("not_a_film", "Fog", "Fog."),
    "film": ("film", "Fog", "Fog is a comedy film, the only one the studio made."),
    "film, list of genres": ("film", "Fog", "Fog is a short film, a comedy made for a company."),
    "film by its genre": ("film", "Fog", "Fog is a British thriller directed by Ada Roe."),
    "play": ("not_a_film", "Fog", "Fog is a British play directed by Ada Roe."),
    "company that somebody directs": ("not_a_film", "Fog", "Fog is a venture, which was directed by Ada Roe."),
    "film with an aside": ("film", "Fog", "Fog (French: Brume) is a (1931) experimental film."),
    "film of which more is said": ("film", "Fog", "Fog, which was a success, is a film."),
    "motion picture": ("film", "Fog", "Fog is a silent motion picture."),
}


@pytest.mark.parametrize("sort", UNDATED)
def test_an_undated_category_is_no_proof_of_a_film(sort):
    kind, title, lead = UNDATED[sort]
    found = article(["Fog films", "Time Warner subsidiaries"], COMPANY, title, lead)
    assert found.kind == kind, found.evidence
    assert article(["1931 films", "Fog films"], "", title, lead).kind == "film"


def test_an_undated_genre_category_is_proof_unless_contradicted():
    assert article(["American drama films", "Fog films"]).kind == "film"
    assert article(["American drama films"], lead="Fog is a film studio.").kind == "not_a_film"
    assert article(["Fog films"]).kind == "not_a_film"
    assert article(["Fog films"], FILM).kind == "film"


LISTS = {
    "of accolades": ("List of accolades received by Fog (2013 film)", ["Lists of accolades by film"]),
    "of a hero's films": ("List of Ada Roe films", ["Ada Roe films", "Ada Roe lists"]),
    "of films of a year": ("List of British films of 1931", ["1931 films", "Lists of British films by year"]),
    "of films of a decade": ("Fog films of the 1930s", ["1930s British films", "Lists of films by decade"]),
    "lists": ("Lists of fog films", ["Fog films"]),
    "index": ("Index of fog films", ["American fog films"]),
    "without categories": ("List of fog films", []),
    "filmography": ("Ada Roe filmography", ["Director filmographies", "Ada Roe films"]),
}


@pytest.mark.parametrize("sort", LISTS)
def test_a_list_is_not_a_film(sort):
    title, categories = LISTS[sort]
    assert article(categories, title=title, lead="Fog is a 2013 film. It won much.").kind == "not_a_film"


def test_a_film_may_be_named_like_a_list():
    assert article(["2021 films"], FILM, "List of a Lifetime", "List of a Lifetime is a film.").kind == "film"


@pytest.mark.parametrize(
    "label", ["Original airing", "Original release", "Original run", "First aired", "Last aired", "Network"]
)
@pytest.mark.parametrize("categories", [[], ["Fog in fiction"], ["Canadian documentaries"]])
def test_a_programme_with_a_director_is_a_series(label, categories):
    aired = box("Genre", "Written by", "Directed by", label)
    for lead in (
        "a television program series",
        "a television documentary series",
        "a Canadian TV programme",
        "a weekly program",
    ):
        assert article(categories, aired, lead=f"Launched in 2004, Fog was {lead} of 2004.").kind == "series"
    assert article(categories, aired, lead="Fog is a 2004 television film.").kind == "film"


def test_a_programme_without_further_evidence_is_a_series():
    found = article(["Fog in fiction"], box("Directed by", "Original airing"))
    assert (found.kind, found.evidence) == ("series", "the infobox has a row `original airing`")


@pytest.mark.parametrize(
    "days", ["5 April 2004 – 28 May 2004", "April 5, 2004 (2004-04-05) – present", "5 – 28 April 2004", "2004–2006"]
)
def test_an_infobox_with_several_release_dates_is_of_episodes(days):
    episodes = TV_FILM.replace("<th>Original release</th><td>Somebody", f"<th>Original release</th><td>{days}")
    assert article(["Fog in fiction"], episodes, lead="Fog is something.").kind == "series"
    assert article(["Fog films"], episodes, lead="Fog is a film.").kind == "series"
    assert article(["2004 films"], episodes).kind == "film"


def test_an_infobox_with_one_release_date_is_of_a_television_film():
    one = TV_FILM.replace("<th>Original release</th><td>Somebody", "<th>Original release</th><td>2004-04-05 (5 April)")
    assert article(["Fog films"], one, lead="Fog is something.").kind == "film"
    assert article(["Fog films"], one, lead="Fog is a sitcom.").kind == "series"


@pytest.mark.parametrize("sort", FILMS)
def test_films(sort):
    found = article(*FILMS[sort])
    assert found.kind == "film", found.evidence


@pytest.mark.parametrize("sort", OTHERS)
def test_other_articles(sort):
    kind, categories, body = OTHERS[sort]
    found = article(categories, body)
    assert found.kind == kind, found.evidence


def test_evidence_is_named():
    assert article(["Konami games", "2003 video games"]).evidence == "a category says `Konami games`"
    assert article([], GAME).evidence == "the infobox has a row `developer(s)`"
    assert article([], title="Fog (TV series)").evidence == "the title says `(TV series)`"
    assert "`Villages in Ohio`" in article(["Villages in Ohio"]).evidence


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Fog (film)", "film"),
        ("Fog (1931 American film)", "film"),
        ("Fog (2003 TV film)", "film"),
        ("Fog (film series)", "series"),
        ("Fog (franchise)", "series"),
        ("Fog (British TV series)", "series"),
        ("Fog (season 2)", "series"),
        ("Fog (2003 video game)", "game"),
        ("Fog (actor)", "person"),
        ("Fog (film director)", "person"),
        ("Fog (novel)", "not_a_film"),
        ("Fog (film score)", "not_a_film"),
    ],
)
def test_words_in_brackets_decide_where_categories_are_silent(title, kind):
    assert article([], title=title).kind == kind
    assert article(["Fog in fiction"], title=title).kind == kind
    assert article(["1931 films"], title=title).kind == "film"


@pytest.mark.parametrize(
    ("lead", "kind"),
    [
        ("Fog is a 1997 American musical comedy film directed by Ada Roe, based on the novel.", "film"),
        ("Fog is a 2012 comic book superhero film.", "film"),
        ("Fog is an upcoming documentary about a band.", "film"),
        ("Fog was a British television series, and a film of 1931.", "series"),
        ("Fog is a film series.", "series"),
        ("Fog is a 2003 video game based on the film.", "game"),
        ("Ada Roe (1878 – 1967) was a British film director, who made a film.", "person"),
        ("Fog is a novel adapted into a film.", "not_a_film"),
        ("Fog is a village in Ohio.", "not_a_film"),
        ("Fog is something. It is a film.", "not_a_film"),
        ("Fog.", "not_a_film"),
    ],
)
def test_first_sentence_decides_where_there_is_nothing_else(lead, kind):
    assert article(lead=lead).kind == kind
    assert article(["1931 films"], lead=lead).kind == "film"


@pytest.mark.parametrize(("lead", "kind"), [("a 2003 television film", "film"), ("a British TV series", "series")])
def test_an_infobox_with_a_network_is_of_a_film_or_of_a_series(lead, kind):
    assert article(body=TV_FILM, lead=f"Fog is {lead}.").kind == kind


def test_description_of_the_page_comes_before_its_first_sentence():
    described = '<div class="shortdescription noprint" style="display:none">1931 film by Ada Roe</div>'
    assert article(body=described, lead="Fog is a novel.").kind == "film"


def test_a_paragraph_of_a_table_is_no_first_sentence():
    assert article(body="<table><tr><td><p>It is a novel.</p></td></tr></table>", lead="Fog is a film.").kind == "film"


@pytest.mark.parametrize(
    ("body", "categories"),
    [
        ('<table id="disambigbox"></table>', ["Fog"]),
        ('<div id="setindexbox"></div>', []),
        ("", ["Disambiguation pages"]),
        ("", ["Disambiguation pages with short descriptions", "1931 films"]),
        ("", ["Set index articles"]),
        ('<meta property="mw:PageProp/disambiguation"/>', []),
    ],
)
def test_disambiguation(body, categories):
    assert article(categories, body).kind == "disambiguation"


def test_a_hatnote_is_no_disambiguation():
    assert article(["1931 films"], '<div class="hatnote">See Fog (disambiguation).</div>').kind == "film"


@pytest.mark.parametrize(
    "answer",
    [
        '<div class="noarticletext mw-content-ltr"><b>Wikipedia does not have an article.</b></div>',
        '<div id="noarticletext"></div>',
        '{"batchcomplete":"","query":{"pages":{"-1":{"ns":0,"title":"Fog","missing":""}}}}',
        '{"errorKey":"rest-nonexistent-title","httpCode":404}',
    ],
)
def test_missing(answer):
    assert parse_article(answer, "https://en.wikipedia.org/wiki/Fog").kind == "missing"
