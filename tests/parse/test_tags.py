import pytest

from pipeline.parse.tags import tags_of


def test_shape_of_the_references_example():
    categories = [
        "1985 films",
        "1980s American films",
        "1980s English-language films",
        "1980s coming-of-age comedy-drama films",
        "1980s high school films",
        "American coming-of-age comedy-drama films",
        "American high school films",
        "American independent films",
        "English-language teen films",
        "Films about teachers",
        "Films directed by John Hughes",
        "Films set in Chicago",
        "United States National Film Registry films",
    ]
    assert tags_of(categories, 1985, "words") == (
        "1985 registry film national states united teachers about teen independent "
        "school high comedy-drama coming-of-age english-language american 1980s"
    )


@pytest.mark.parametrize(
    ("category", "words"),
    [
        ("Films based on works by Jane Doe", {"works"}),
        ("Films with screenplays by Jane Doe", set()),
        ("Animated films set in Japan", {"animated"}),
        ("Films set in the 1970s", {"1970s"}),
        ("Films shot at Elstree", set()),
        ("Android (robot) films", {"android", "robot"}),
        ("Children's films", {"children's"}),
        ("2004 drama films", {"drama"}),
        ("HIV/AIDS in film", {"hiv/aids", "film"}),
        ("Fog: the films", {"fog"}),
        ("Saturn Award–winning films", {"saturn", "award-winning"}),
        ("20th Century Fox films", {"20th", "fox"}),
    ],
)
def test_words_of_a_category(category, words):
    assert set(tags_of([category], None, "words").split()) == words


def test_no_words_give_no_tags_not_even_the_year():
    assert tags_of([], 1985, "words") == tags_of(["1985 films"], 1985, "words") == ""


def test_words_occur_once_in_lower_case_joined_by_single_spaces():
    tags = tags_of(["Drama  films", "drama films", "1931 DRAMA films"], 1931, "words")
    assert tags == "1931 drama"


@pytest.mark.parametrize("rule", ["words", "categories"])
def test_categories_of_maintenance_give_no_tags(rule):
    kept = ["1931 films", "British fog films"]
    more = ["Articles with dead external links from October 2010", *kept, "1930s film stubs", "Good articles"]
    assert tags_of(more, 1931, rule) == tags_of(kept, 1931, rule)


def test_whole_phrases_in_page_order():
    categories = ["1985 films", "Films directed by Ada Roe", "HIV/AIDS in  film", "1985 Films"]
    assert tags_of(categories, 1985, "categories") == "1985 films, films directed by ada roe, hiv/aids in film"
    assert tags_of([], 1985, "categories") == ""
