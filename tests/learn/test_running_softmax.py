import math

import pytest
import torch

from minigpt.learn import online_softmax, softmax_step


def start(width):
    return torch.tensor(-math.inf).double(), torch.zeros(()).double(), torch.zeros(width).double()


@pytest.mark.parametrize("cut", [1, 3, 6, 7])
def test_softmax_step_over_blocks_ends_at_the_attention_of_the_query(cut):
    z, v = 100 * torch.randn(7, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)
    state = start(2)
    for first in range(0, 7, cut):
        state = softmax_step(*state, z[first : first + cut], v[first : first + cut])
    m, l, o = state
    torch.testing.assert_close(o / l, z.softmax(0) @ v)
    torch.testing.assert_close(m + l.log(), z.logsumexp(0))


def test_a_block_of_one_score_is_a_step_of_the_online_softmax():
    z, v = torch.randn(4, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    state = start(3)
    for i, row in enumerate(zip(*online_softmax(z, v), strict=True)):
        state = softmax_step(*state, z[i : i + 1], v[i : i + 1])
        torch.testing.assert_close(state, row)
