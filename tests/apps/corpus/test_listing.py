import json
import threading
from dataclasses import replace

import pytest

from pipeline.apps.corpus.listing import Wanted, add
from pipeline.core.errors import CorpusError
from pipeline.corpus import load_films
from pipeline.corpus.section import Corpus

SEARCH = "ytsearch1:{title} {year} soundtrack"
CORPUS = Corpus(folder="data/mine", serve=None, contact=None, search=SEARCH, fields={})
FOG = "https://en.wikipedia.org/wiki/Fog_(1931_film)"


def statuses(outcomes):
    return [(outcome.status, outcome.fid) for outcome in outcomes]


def test_a_new_list(tmp_path):
    folder = tmp_path / "data/mine"
    outcomes = add(folder, [Wanted(FOG), Wanted("https://en.m.wikipedia.org/wiki/it_(film)#Cast", 1990)], CORPUS)
    assert statuses(outcomes) == [("added", "AAA"), ("added", "AAB")]
    assert json.loads((folder / "meta.json").read_text()) == {
        "AAA": {"wikipedia": FOG, "soundtrack": ["ytsearch1:Fog 1931 soundtrack"]},
        "AAB": {"wikipedia": "https://en.wikipedia.org/wiki/It_(film)", "soundtrack": ["ytsearch1:It 1990 soundtrack"]},
    }
    assert [path.name for path in folder.iterdir()] == ["meta.json"]
    assert len(load_films(folder, SEARCH)) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"AAA": {"url": "https://x/wiki/A", "audio": null}}',
        '{"AAA":{"url":"https://x/wiki/A","audio":[]}, "AAC":{"wikipedia":"https://x/wiki/C","soundtrack":[]}}\n',
        '{\n "AAA": {\n  "wikipedia": "https://x/wiki/\\u00e9",\n  "soundtrack": []\n }\n}\n',
        '{\r\n\t"AAA": {"wikipedia": "https://x/wiki/A",\r\n\t\t"soundtrack": [] }\r\n}\r\n',
        '\n{ "AAA": {"wikipedia": "https://x/wiki/A",\n"soundtrack": []},\n "AAB": {"url": "https://x/wiki/B"}\n\n}',
    ],
)
def test_existing_entries_are_unchanged(tmp_path, text):
    path = tmp_path / "meta.json"
    path.write_bytes(text.encode())
    before = json.loads(text)
    assert statuses(add(tmp_path, [Wanted(FOG), Wanted("https://x/wiki/A%20b")], CORPUS))[0][0] == "added"
    after = path.read_bytes().decode()
    assert after.startswith(text.rstrip()[:-1].rstrip())
    assert list(json.loads(after).items())[: len(before)] == list(before.items())
    assert len(json.loads(after)) == len(before) + 2
    assert after.endswith("\n") == text.endswith("\n")
    assert ("\r\n" in text) == ("\r\n" in after) and after.count("\r\n") in (0, after.count("\n"))
    add(tmp_path, [Wanted("https://x/wiki/D")], CORPUS)
    assert len(load_films(tmp_path, SEARCH)) == len(before) + 3


def test_the_same_article_is_added_once(tmp_path):
    (tmp_path / "meta.json").write_text(json.dumps({"BAA": {"wiki_url": FOG.replace("_", "%20")}}))
    again = [Wanted(FOG), Wanted("https://x/wiki/A"), Wanted("https://x/wiki/a?b=1"), Wanted(FOG + "#Plot")]
    outcomes = add(tmp_path, again, CORPUS)
    assert statuses(outcomes) == [("there", "BAA"), ("added", "BAB"), ("there", "BAB"), ("there", "BAA")]
    before = (tmp_path / "meta.json").stat().st_mtime_ns
    assert statuses(add(tmp_path, again, CORPUS)) == [
        ("there", "BAA"),
        ("there", "BAB"),
        ("there", "BAB"),
        ("there", "BAA"),
    ]
    assert (tmp_path / "meta.json").stat().st_mtime_ns == before


def test_bad_addresses_do_not_keep_the_good_ones_out(tmp_path):
    outcomes = add(tmp_path, [Wanted("../../x"), Wanted(FOG), Wanted("https://x/wiki/Category:Films")], CORPUS)
    assert statuses(outcomes) == [("refused", ""), ("added", "AAA"), ("refused", "")]
    assert outcomes[0].url == "../../x" and "URL" in outcomes[0].reason and "Category" in outcomes[2].reason


@pytest.mark.parametrize("text", ["", "[]", '{"AAA": {}}', '{"x": {}}', '{"AAA"', "\xff"])
def test_a_list_that_is_not_valid_is_left_alone(tmp_path, text):
    (tmp_path / "meta.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorpusError, match=r"meta\.json"):
        add(tmp_path, [Wanted(FOG)], CORPUS)
    assert (tmp_path / "meta.json").read_bytes() == text.encode("latin-1")


def test_folders_that_cannot_hold_a_list(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="cannot be created"):
        add(tmp_path / "file", [Wanted(FOG)], CORPUS)
    (tmp_path / "theirs/data/meta").mkdir(parents=True)
    (tmp_path / "theirs/data/meta/fid_to_text.json").write_text('{"AAA": "1999 film"}')
    with pytest.raises(CorpusError, match="reference's layout"):
        add(tmp_path / "theirs", [Wanted(FOG)], CORPUS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("meta.csv", "wikipedia\nhttps://x/wiki/A\n", "only a meta.json"),
        ("meta.jsonl", '{"wikipedia": "https://x/wiki/A"}\n', "only a meta.json"),
        ("meta.json", '\n[{"wikipedia": "https://x/wiki/A"}]\n', "contains an array"),
    ],
)
def test_lists_of_other_forms_are_left_alone(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=message):
        add(tmp_path, [Wanted(FOG)], CORPUS)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, text)]


def test_a_film_is_added_under_our_names_to_a_list_with_others(tmp_path):
    corpus = replace(CORPUS, fields={"wikipedia": "links.page"})
    (tmp_path / "meta.json").write_text('{"AAA": {"links": {"page": "https://x/wiki/A"}, "director": "B"}}')
    assert statuses(add(tmp_path, [Wanted("https://x/wiki/A"), Wanted(FOG)], corpus)) == [
        ("there", "AAA"),
        ("added", "AAB"),
    ]
    assert [film.wikipedia for film in load_films(tmp_path, SEARCH, corpus.fields)] == ["https://x/wiki/A", FOG]


def test_a_full_list(tmp_path):
    entries = {
        "".join((a, b, c)): {"wikipedia": "https://x/wiki/A", "soundtrack": []}
        for a in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    }
    del entries["KLM"]
    (tmp_path / "meta.json").write_text(json.dumps(entries))
    outcomes = add(tmp_path, [Wanted("https://x/wiki/B"), Wanted("https://x/wiki/C")], CORPUS)
    assert statuses(outcomes) == [("added", "KLM"), ("refused", "")] and "no id is left" in outcomes[1].reason


def test_two_commands_at_once_lose_nothing(tmp_path):
    def work(letter):
        for number in range(10):
            add(tmp_path, [Wanted(f"https://x/wiki/{letter}{number}")], CORPUS)

    threads = [threading.Thread(target=work, args=(letter,)) for letter in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({film.wikipedia for film in load_films(tmp_path, SEARCH)}) == 40


def test_a_linked_list_stays_a_link(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "shared.json").write_text("{}")
    (tmp_path / "mine/meta.json").symlink_to(tmp_path / "shared.json")
    add(tmp_path / "mine", [Wanted(FOG)], CORPUS)
    assert (tmp_path / "mine/meta.json").is_symlink() and FOG in (tmp_path / "shared.json").read_text()
