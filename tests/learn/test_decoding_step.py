import pytest
import torch
from torch.nn import functional as F

from minigpt.learn import cached_step


@pytest.mark.parametrize("length", [1, 2, 7])
def test_steps_of_cached_step_are_the_rows_of_causal_attention(length):
    x, matrices = torch.randn(length, 5, dtype=torch.float64), torch.randn(3, 5, 4, dtype=torch.float64)
    q, k, v = (x @ matrix for matrix in matrices)
    caches, rows = (k[:0], v[:0]), []
    for token in x:
        row, *caches = cached_step(token, *matrices, *caches)
        rows.append(row)
    torch.testing.assert_close(torch.stack(rows), F.scaled_dot_product_attention(q, k, v, is_causal=True))
    torch.testing.assert_close(tuple(caches), (k, v))


def test_cached_step_leaves_the_caches_that_it_was_given_unchanged():
    k_cache, v_cache = torch.zeros(2, 3), torch.ones(2, 3)
    cached_step(torch.randn(4), *torch.randn(3, 4, 3), k_cache, v_cache)
    assert k_cache.shape == v_cache.shape == (2, 3)
    assert not k_cache.any() and v_cache.all()
