import pytest

from pipeline.parse.tags import category_tags


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
    assert category_tags(categories, 1985) == (
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
    ],
)
def test_words_of_a_category(category, words):
    assert set(category_tags([category], None).split()) == words


def test_no_words_give_no_tags_not_even_the_year():
    assert category_tags([], 1985) == category_tags(["1985 films"], 1985) == ""


def test_words_occur_once_in_lower_case_joined_by_single_spaces():
    tags = category_tags(["Drama  films", "drama films", "1931 DRAMA films"], 1931)
    assert tags == "1931 drama"
