from pipeline.apps.corpus.remaining import remaining
from pipeline.core.tables import PAGES, write_table
from pipeline.corpus import Film


def test_a_page_with_a_question_mark_in_its_title_is_found(tmp_path):
    site = "https://en.wikipedia.org/wiki/"
    page = dict.fromkeys(PAGES.names, "") | {"fid": "AAA", "status": "ok", "url": f"{site}Doc%3F_(film)"}
    page |= {"redirects": [], "revision": None, "bytes": None, "poster_status": "ok"}
    write_table(tmp_path / "data/pages.parquet", [page], PAGES)
    for title, left in (("Doc?_(film)", ""), ("Doc%3F_(film)", ""), ("Doc", site + "Doc")):
        assert remaining(tmp_path, "data/films", [Film("AAA", site + title, ())], None)[0].wikipedia == left
