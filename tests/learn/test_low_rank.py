import torch
from torch.nn import functional as F

from minigpt.learn import low_rank_linear


def test_low_rank_linear_is_a_linear_layer_with_the_update_merged_into_its_matrix():
    x, weight, a, b = (torch.randn(shape, dtype=torch.float64) for shape in [(5, 4), (3, 4), (2, 4), (3, 2)])
    torch.testing.assert_close(low_rank_linear(x, weight, a, b, alpha=3.0), F.linear(x, weight + 1.5 * b @ a))


def test_an_update_of_zero_leaves_the_frozen_layer():
    x, weight, a = torch.randn(5, 4), torch.randn(3, 4), torch.randn(2, 4)
    torch.testing.assert_close(low_rank_linear(x, weight, a, torch.zeros(3, 2), alpha=16.0), F.linear(x, weight))
