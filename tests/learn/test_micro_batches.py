import pytest
import torch

from minigpt.learn import combined_gradient


@pytest.mark.parametrize("counts", [[5], [1, 4], [3, 1, 6]])
def test_combined_gradient_is_that_of_the_mean_over_all_tokens(counts):
    weight = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    tokens = torch.randn(sum(counts), 3, dtype=torch.float64)

    def gradient(rows):
        return torch.autograd.grad((rows @ weight).square().sum(1).mean(), weight)[0]

    parts = [gradient(rows) for rows in tokens.split(counts)]
    torch.testing.assert_close(combined_gradient(parts, counts), gradient(tokens))
