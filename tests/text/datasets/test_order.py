import numpy as np
import pytest

from minigpt.text.datasets.order import mix, permute


@pytest.mark.parametrize("key", [0, 1, 2**64 - 1])
def test_the_image_of_every_small_range_is_the_range(key):
    for n in range(1, 301):
        assert sorted(permute(np.arange(n), n, key)) == list(range(n))


@pytest.mark.parametrize("n", [4**8 - 1, 4**8, 4**8 + 1, 200_003])
def test_the_image_of_a_large_range_is_the_range(n):
    assert np.array_equal(np.sort(permute(np.arange(n), n, key=5)), np.arange(n))


def test_distinct_indices_of_a_huge_range_go_to_distinct_places_inside_it():
    n = 10**15
    places = permute(np.arange(n - 10_000, n), n, key=5)
    assert len(set(places.tolist())) == 10_000
    assert places.max() < n


def test_one_index_at_a_time_gives_the_same_places():
    together = permute(np.arange(100), 100, key=3)
    assert [int(permute(np.array([i]), 100, key=3)[0]) for i in range(100)] == together.tolist()


def test_the_order_is_the_same_on_every_machine():
    assert permute(np.arange(10), 10, key=0).tolist() == [7, 1, 6, 8, 3, 4, 5, 9, 0, 2]
    assert mix(0, 1) == 627405149472732430


def test_another_key_gives_another_order():
    orders = {tuple(permute(np.arange(50), 50, key)) for key in range(100)}
    assert len(orders) == 100


def test_every_index_goes_everywhere_about_equally_often():
    n, keys = 10, 1000
    counts = np.zeros((n, n))
    for key in range(keys):
        counts[np.arange(n), permute(np.arange(n), n, mix(7, key)).astype(int)] += 1
    expected = keys / n
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    # 81 degrees of freedom: the mean is 81, and 150 lies beyond the 99.999th percentile
    assert chi_squared < 150


def test_neighbours_do_not_stay_neighbours():
    places = permute(np.arange(10_000), 10_000, key=1).astype(np.int64)
    assert (np.abs(np.diff(places)) == 1).mean() < 0.01


def test_whole_numbers_of_any_size_and_sign_are_mixed():
    assert len({mix(seed, epoch) for seed in (-1, 0, 1, 2**70 + 5) for epoch in range(100)}) == 400


def test_the_order_of_the_parts_matters():
    assert mix(1, 2) != mix(2, 1)
