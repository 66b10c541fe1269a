"""Sentences and tags, and the rest of a query without each of them."""

import pytest

from pipeline.apps.recommend.passages import MOST, passages, sentences
from pipeline.apps.recommend.query import Query


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("one", ["one"]),
        ("A clerk leaves. He returns!  Why?", ["A clerk leaves.", "He returns!", "Why?"]),
        ("He meets Dr. Caligari. F. W. Murnau did too.", ["He meets Dr. Caligari.", "F. W. Murnau did too."]),
        (
            '"Why?" he asks. (Nobody knows.) It is 3.5 miles.',
            ['"Why?" he asks.', "(Nobody knows.)", "It is 3.5 miles."],
        ),
        ("It rains… and rains. Then not…", ["It rains… and rains.", "Then not…"]),
        ("Он ушёл. Она осталась.", ["Он ушёл.", "Она осталась."]),
        ("彼は走った。「なぜ?」彼女は泣いた!", ["彼は走った。", "「なぜ?」彼女は泣いた!"]),
        ("هل أنت هنا؟ نعم.", ["هل أنت هنا؟", "نعم."]),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


def test_each_sentence_and_tag_can_be_left_out():
    query = Query("x", "noir war", "A dog  runs.\n\n War begins. It ends.", None)
    found = [(passage.part, passage.text, passage.rest) for passage in passages(query, ("tags", "plot"), "words")]
    assert [(part, text, rest.tags, rest.plot) for part, text, rest in found] == [
        ("plot", "A dog  runs.", "noir war", "War begins. It ends."),
        ("plot", "War begins.", "noir war", "A dog  runs.\nIt ends."),
        ("plot", "It ends.", "noir war", "A dog  runs.\nWar begins."),
        ("tags", "noir", "war", query.plot),
        ("tags", "war", "noir", query.plot),
    ]
    assert {passage.part for passage in passages(query, ("plot",), "words")} == {"plot"}


def test_all_of_a_part_leaves_no_query():
    query = Query(None, "film noir", "One.", None)
    of_words = passages(query, ("tags", "plot"), "words")
    assert [(passage.text, passage.rest is None) for passage in of_words] == [
        ("One.", True),
        ("film", False),
        ("noir", False),
    ]
    (plot, tags) = passages(query, ("tags", "plot"), "categories")
    assert (plot.rest, tags.text, tags.rest) == (None, "film noir", None)
    assert passages(Query(None, "", " \n", None), ("tags", "plot"), "words") == []


def test_a_long_plot_has_groups_of_neighbours():
    lines = [" ".join(f"Sentence {line} {place}." for place in range(7)) for line in range(11)]
    found = passages(Query(None, None, "\n".join(lines), None), ("plot",), "words")
    assert len(found) == MOST
    assert " ".join(passage.text for passage in found) == " ".join(lines)
    for passage in found:
        assert len(sentences(passage.text)) in (3, 4)
        left = sentences(passage.rest.plot.replace("\n", " "))
        assert len(left) + len(sentences(passage.text)) == 77


def test_of_many_paragraphs_there_are_fewer_groups():
    for count, expected in ((20, MOST), (40, 12), (400, 2)):
        plot = "\n".join(f"First {number}. Second." for number in range(count))
        found = passages(Query(None, None, plot, None), ("plot",), "words")
        assert len(found) == expected
        assert sum(len(sentences(passage.text)) for passage in found) == 2 * count
