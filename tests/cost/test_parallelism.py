"""minigpt/cost/parallelism.py: known values, and rings that are run message by message."""

import pytest

from minigpt.cost import data_parallel_bytes, pipeline, tensor_parallel_bytes, zero_memory


def ring(n_devices, message, rounds):
    """The bytes that a device sends when parts of a message go around a ring."""
    return sum(message / n_devices for _ in range(rounds) for _ in range(n_devices - 1))


def test_memory_is_that_of_figure_1_of_the_source():
    found = zero_memory(7.5e9, 64, (2, 2, 12))
    assert [round(size / 1e9, 1) for size in vars(found).values()] == [120.0, 31.4, 16.6, 1.9]


@pytest.mark.parametrize("n", [1, 2, 7])
def test_bytes_are_those_of_the_rounds_of_a_ring(n):
    message = 4 * 91
    sent = data_parallel_bytes(91, n)
    assert sent["ddp"] == pytest.approx(ring(n, message, 2))  # all-reduce
    assert sent["zero"] == pytest.approx(ring(n, message, 1) + ring(n, message, 1))  # reduce-scatter, all-gather
    assert sent["fsdp"] == pytest.approx(1.5 * sent["ddp"])
    assert tensor_parallel_bytes(3, 50, n) == pytest.approx(3 * 4 * ring(n, 100, 2))


def test_the_bubble_is_what_a_schedule_leaves_empty():
    n, m = 4, 6
    # device d works on micro-batch i at time d + i, and all are done after n + m - 1
    busy = sum(1 for d in range(n) for i in range(m) if d + i < n + m - 1)
    bubble, sent = pipeline(n, m, 50)
    assert bubble == pytest.approx(1 - busy / (n * (n + m - 1)))
    assert sent == 2 * 2 * 50  # forward and backward, in 16 bits
    smaller, more = pipeline(n, m, 50, pieces=3)
    ideal = (n - 1) / m
    assert (bubble / (1 - bubble), smaller / (1 - smaller)) == pytest.approx((ideal, ideal / 3))
    assert more == 3 * sent
