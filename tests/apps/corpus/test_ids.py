import itertools

from pipeline.apps.corpus.ids import NUMBER_OF_IDS, free_ids, id_of, number_of


def test_ids_count_like_an_odometer():
    assert [id_of(number) for number in (0, 1, 25, 26, 675, 676, 17_575)] == [
        "AAA",
        "AAB",
        "AAZ",
        "ABA",
        "AZZ",
        "BAA",
        "ZZZ",
    ]
    assert all(number_of(id_of(number)) == number for number in range(NUMBER_OF_IDS))


def test_a_removed_id_is_not_given_to_another_film():
    assert list(itertools.islice(free_ids([]), 2)) == ["AAA", "AAB"]
    assert list(itertools.islice(free_ids(["AAA", "AAC"]), 2)) == ["AAD", "AAE"]


def test_gaps_are_filled_when_all_ids_after_the_highest_are_used():
    assert list(itertools.islice(free_ids(["AAA", "AAD", "ZZY"]), 4)) == ["ZZZ", "AAB", "AAC", "AAE"]
    assert list(free_ids(map(id_of, range(NUMBER_OF_IDS)))) == []
