import pytest
import torch

import minigpt as mg
from minigpt.model.heads import share_heads


def test_projections_by_the_identity_change_nothing():
    x, one = torch.randn(2, 6, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(mg.projected_attention(x, one, one, one), mg.causal_attention(x, x, x))


def test_one_head_with_the_identity_at_the_end_is_projected_attention():
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    w_q, w_k, w_v = (torch.randn(5, 3, dtype=torch.float64) for _ in range(3))
    one = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(
        mg.multi_head_attention(x, w_q, w_k, w_v, one, 1), mg.projected_attention(x, w_q, w_k, w_v)
    )


def test_multi_head_attention_is_the_sum_of_its_heads():
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    w_q, w_k, w_v = (torch.randn(5, 6, dtype=torch.float64) for _ in range(3))
    w_o = torch.randn(6, 5, dtype=torch.float64)
    parts = []
    for h in range(3):
        columns = slice(2 * h, 2 * h + 2)
        head = mg.projected_attention(x, w_q[:, columns], w_k[:, columns], w_v[:, columns])
        parts.append(head @ w_o[columns])
    torch.testing.assert_close(mg.multi_head_attention(x, w_q, w_k, w_v, w_o, 3), sum(parts))


def test_as_many_key_value_heads_as_query_heads_is_multi_head():
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    w_q, w_k, w_v, w_o = (torch.randn(shape, dtype=torch.float64) for shape in [(5, 8), (5, 8), (5, 8), (8, 5)])
    torch.testing.assert_close(
        mg.grouped_query_attention(x, w_q, w_k, w_v, w_o, (4, 4)), mg.multi_head_attention(x, w_q, w_k, w_v, w_o, 4)
    )


def test_grouped_query_attention_is_multi_head_with_the_shared_heads_written_out():
    x = torch.randn(2, 6, 5, dtype=torch.float64)
    w_q, w_k, w_v, w_o = (torch.randn(shape, dtype=torch.float64) for shape in [(5, 8), (5, 4), (5, 4), (8, 5)])
    shared = [torch.cat([w[:, :2], w[:, :2], w[:, 2:], w[:, 2:]], dim=1) for w in (w_k, w_v)]  # head h reads h // 2
    torch.testing.assert_close(
        mg.grouped_query_attention(x, w_q, w_k, w_v, w_o, (4, 2)), mg.multi_head_attention(x, w_q, *shared, w_o, 4)
    )


def test_heads_that_do_not_share_evenly_are_refused():
    with pytest.raises(ValueError, match="n_heads=4 must be a multiple of n_kv_heads=3"):
        share_heads(torch.randn(1, 3, 5, 2), 4)
