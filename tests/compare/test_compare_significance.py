import numpy as np
import pytest

from pipeline.compare.significance import (
    bootstrap_intervals,
    compare_pairs,
    holm,
    randomisation_test,
    within_reach,
)


def test_holm_equals_an_example_by_hand():
    # sorted 0.005·4, 0.01·3, 0.03·2, 0.04·1 → 0.02, 0.03, 0.06, 0.04; the last is raised to 0.06
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1.0, 1.0])


def test_randomisation_equals_the_exact_test():
    # Of the 16 sign patterns of 4 equal differences only ++++ and −−−− are as extreme: p = 2/16.
    p = randomisation_test(np.full((4, 1), 0.3), 20_000, np.random.default_rng(0))
    assert p == pytest.approx([0.125], abs=0.01)


def test_no_difference_at_all_has_p_1_and_permutations_bound_p():
    values = {"a": np.ones(50), "b": np.ones(50), "c": np.zeros(50)}
    same, big, _ = compare_pairs(values, 100, 999, seed=0)
    assert (same.mean, same.low, same.high, same.p, same.real) == (0, 0, 0, 1, False)
    assert (big.mean, big.low, big.high, big.p) == (1, 1, 1, 1 / 1000)


def test_noise_is_called_real_in_at_most_five_of_a_hundred_families():
    generator = np.random.default_rng(1)
    false_claims = 0
    for seed in range(200):
        values = {name: generator.random(25) for name in "abcd"}
        false_claims += any(pair.real for pair in compare_pairs(values, 1, 400, seed))
    assert false_claims <= 20  # 10 expected at most; P(more than 20) < 0.001
    # The test does not just stay silent: individual p-values of noise are uniform.
    p = randomisation_test(generator.normal(size=(25, 500)), 400, generator)
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.03)


def test_a_planted_difference_is_found_with_its_sign_and_only_there():
    generator = np.random.default_rng(2)
    hard = generator.random(60)  # films differ much more than variants: only pairing finds it
    values = {"a": hard, "b": hard + generator.normal(0.0, 0.1, 60), "c": hard + generator.normal(0.1, 0.1, 60)}
    pairs = {(pair.first, pair.second): pair for pair in compare_pairs(values, 500, 2000, seed=0)}
    assert [pair for pair, found in pairs.items() if found.real] == [("a", "c"), ("b", "c")]
    assert pairs["a", "c"].mean == pytest.approx(-0.1, abs=0.05)
    assert pairs["a", "c"].low < pairs["a", "c"].mean < pairs["a", "c"].high < 0
    assert pairs["a", "b"].low < 0 < pairs["a", "b"].high


def test_intervals_have_the_width_of_the_normal_approximation():
    differences = np.random.default_rng(3).normal(0.2, 1.0, (400, 2))
    low, high = bootstrap_intervals(differences, 2000, np.random.default_rng(0))
    error = 1.96 * differences.std(axis=0) / 20
    assert low == pytest.approx(differences.mean(axis=0) - error, abs=0.02)
    assert high == pytest.approx(differences.mean(axis=0) + error, abs=0.02)


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    values = {name: np.random.default_rng(ord(name)).random(20) for name in "ab"}
    assert compare_pairs(values, 50, 50, seed=4) == compare_pairs(values, 50, 50, seed=4)
    assert compare_pairs(values, 50, 50, seed=4) != compare_pairs(values, 50, 50, seed=5)


def test_one_variant_has_no_pairs():
    assert compare_pairs({"a": np.ones(3)}, 10, 10, seed=0) == []


@pytest.mark.parametrize(
    ("films", "pairs", "permutations", "expected"),
    [(5, 1, 10_000, False), (6, 1, 10_000, True), (6, 21, 10_000, False), (60, 21, 10_000, True), (60, 21, 100, False)],
)
def test_within_reach(films, pairs, permutations, expected):
    assert within_reach(films, pairs, permutations) is expected
