import math

import pytest
import torch

from minigpt.learn import tiled_attention, tiled_gradients

CASES = [
    pytest.param((1, 1), {}, id="one"),
    pytest.param((13, 20), {"blocks": (5, 3)}, id="past"),
    pytest.param((9, 5), {"blocks": (2, 4)}, id="sees-nothing"),
    pytest.param((17, 17), {"blocks": (4, 4), "window": 6}, id="window"),
    pytest.param((6, 11), {"blocks": (4, 4), "causal": False, "scale": -2.0}, id="full"),
]


@pytest.mark.parametrize("through_lse", [True, False])
@pytest.mark.parametrize(("lengths", "options"), CASES)
def test_the_gradients_by_tiles_are_those_of_autograd(lengths, options, through_lse):
    n_queries, n_keys = lengths
    q, k, v = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (n_queries, n_keys, n_keys))
    tiled = tiled_attention(q, k, v, **options)
    d_output, d_lse = torch.randn(n_queries, 3).double(), torch.randn(n_queries).double()
    sees = tiled.lse > -math.inf
    outputs, weights = [tiled.output, tiled.lse[sees]][: 1 + through_lse], [d_output, d_lse[sees]][: 1 + through_lse]
    expected = torch.autograd.grad(outputs, (q, k, v), weights)
    with torch.no_grad():
        backward = (d_output, d_lse if through_lse else None)
        actual = tiled_gradients((q, k, v), (tiled.output, tiled.lse), backward, **options)
    assert all(x.isfinite().all() for x in actual)
    torch.testing.assert_close(actual, expected)


def test_the_tiles_of_the_backward_pass_may_have_another_size():
    q, k, v, d_output = torch.randn(4, 11, 3, dtype=torch.float64)
    tiled = tiled_attention(q, k, v)
    given = ((q, k, v), (tiled.output, tiled.lse), (d_output, None))
    runs = [tiled_gradients(*given, blocks=blocks) for blocks in ((2, 5), (11, 1))]
    torch.testing.assert_close(*runs)
