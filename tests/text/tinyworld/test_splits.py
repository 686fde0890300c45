import math

import pytest

from minigpt.text.tinyworld.splits import combinations, held_out_nats

SPLITS = ("train", "validation", "test")


def test_every_combination_belongs_to_exactly_one_split():
    parts = [combinations(split) for split in SPLITS]
    assert sorted(sum(parts, ())) == sorted(combinations("all"))
    assert len(combinations("all")) == len(set(combinations("all"))) == 20 * 10 * 20


@pytest.mark.parametrize(("split", "share"), [("train", 1 / 2), ("validation", 1 / 4), ("test", 1 / 4)])
def test_the_splits_have_about_their_share(split, share):
    n = 4000
    assert abs(len(combinations(split)) - n * share) < 3 * math.sqrt(n * share * (1 - share))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_every_pair_of_words_occurs_in_training(pair):
    i, j = pair
    assert {(c[i], c[j]) for c in combinations("train")} == {(c[i], c[j]) for c in combinations("all")}


def test_what_is_held_out_costs_the_logarithm_of_the_share():
    assert math.exp(-held_out_nats("validation")) == pytest.approx(len(combinations("validation")) / 4000)
    assert held_out_nats("all") == 0


def test_the_splits_are_the_same_in_every_version():
    assert combinations("validation")[:3] == ((0, 0, 0), (0, 0, 4), (0, 0, 6))


def test_an_unknown_split_lists_the_known_ones():
    with pytest.raises(ValueError, match="no split 'dev'; choose train, validation, test, all"):
        combinations("dev")
