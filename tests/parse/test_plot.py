import pytest

from pipeline.media.pages import read_tree
from pipeline.parse.plot import find_plot

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


def plot_of(body):
    return find_plot(read_tree(f'<h1 id="firstHeading">Fog</h1><div id="mw-content-text"><p>Lead.</p>{body}</div>'))


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
        "Storyline",
        "Plot outline",
        "PLOT",
        "Plot:",
        "Plot\xa0summary",
        "[edit] Plot",
        '<span class="mw-headline-number">1</span> Plot',
        '<span class="mw-headline">Plot</span><span><a class="edit-page">Edit</a></span>',
        'Plot<sup class="reference">[1]</sup>',
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
        '<figure typeof="mw:File/Thumb"><figcaption><p>A caption.</p></figcaption></figure><p class="mw-empty-elt"></p>'
        '<div class="navbox"><h2>More</h2><p>No.</p></div><p style="display:none">No.</p><ul class="gallery"><li><p>No.'
        "</p></li></ul><p>Three.</p>"
    )
    assert plot_of(body) == "One.\nTwo.\nThree."


def test_a_section_in_one_box():
    box = f'<div style="width:50em"><div class="thumb"><p>A caption.</p></div>{PLOT}<h3>Act two</h3><p>Three.</p></div>'
    assert plot_of(f"<h2>Plot</h2>{box}<h2>Cast</h2><div><p>No.</p></div>") == "One.\nTwo.\nThree."
    assert plot_of(f"<h2>Plot</h2><div><p>A box.</p></div>{PLOT}") == "One.\nTwo."
    assert plot_of("<h2>Plot</h2><div class='quotebox'><p>A quotation.</p></div><h2>Cast</h2><p>No.</p>") == ""


def test_white_space_is_collapsed_and_control_characters_go():
    assert plot_of("<h2>Plot</h2><p>\xa0 One\u2009 two&nbsp;\n&#1;three. </p>") == "One two three."


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
        '<sup about="#mwt2" rel="dc:references" typeof="mw:Extension/ref"><a href="./Fog#n">8</a></sup>',
        "<sup>[<a>who?</a>]</sup>",
        '[<a href="#cite_note-8">8</a>]',
        '<script>var a = "<p>";</script>',
        "<!-- comment -->",
        '<span style="display:none">hidden</span>',
        '<span style="color:red; DISPLAY : none">hidden</span>',
        "<span hidden>hidden</span>",
        '<span class="mw-editsection">edit</span>',
        '<figure typeof="mw:File/Thumb"><img><figcaption>A caption.</figcaption></figure>',
        "<math><semantics><annotation>{\\displaystyle x}</annotation></semantics></math>",
    ],
)
def test_marks_are_removed(mark):
    assert plot_of(f"<h2>Plot</h2><p>He [sic] leaves{mark} in 10<sup>th</sup>  gear,<br>\n slowly.</p>") == (
        "He [sic] leaves in 10th gear, slowly."
    )
