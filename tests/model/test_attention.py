import math

import pytest
import torch

import minigpt as mg
from minigpt.model.attention import attention_weights, key_distance, self_attention


def literal_weights(v):
    """a_ij = exp(v_i . v_j) / sum_k exp(v_i . v_k), one term after another in Python floats."""
    n, d = v.shape
    v = v.tolist()

    def dot(i, j):
        return sum(v[i][c] * v[j][c] for c in range(d))

    return torch.tensor(
        [[math.exp(dot(i, j)) / sum(math.exp(dot(i, k)) for k in range(n)) for j in range(n)] for i in range(n)],
        dtype=torch.float64,
    )


def literal_output(v):
    """v'_i = sum_j a_ij v_j, one term after another in Python floats."""
    n, d = v.shape
    a, rows = literal_weights(v).tolist(), v.tolist()
    return torch.tensor(
        [[sum(a[i][j] * rows[j][c] for j in range(n)) for c in range(d)] for i in range(n)], dtype=torch.float64
    )


@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 5), (2, 3), (7, 4), (9, 2), (23, 5)])
def test_the_seeds_two_formulas_hold_to_1e_12(n, d):
    v = torch.randn(n, d, dtype=torch.float64)
    assert (mg.attention_weights(v) - literal_weights(v)).abs().max() <= 1e-12
    assert (mg.self_attention(v) - literal_output(v)).abs().max() <= 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_seeds_formulas_hold_in_every_dtype(dtype, assert_near):
    v = (0.5 * torch.randn(7, 4)).to(dtype)
    assert_near(mg.attention_weights(v), literal_weights(v.double()))
    assert_near(mg.self_attention(v), literal_output(v.double()), scale=2)


def test_leading_axes_and_strides_make_no_difference():
    v = torch.randn(4, 3, 2, 5, dtype=torch.float64).permute(2, 1, 0, 3)
    assert v.shape == (2, 3, 4, 5) and not v.is_contiguous()
    for b in range(2):
        for c in range(3):
            torch.testing.assert_close(mg.self_attention(v)[b, c], literal_output(v[b, c]), rtol=0, atol=1e-12)


def test_rows_of_weights_sum_to_one_and_columns_do_not():
    a = mg.attention_weights(torch.randn(6, 3, dtype=torch.float64))
    torch.testing.assert_close(a.sum(-1), torch.ones(6, dtype=torch.float64))
    assert (a.sum(-2) - 1).abs().max() > 1e-3


def test_gradients_of_the_seeds_formulas_are_those_of_finite_differences():
    v = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(mg.attention_weights, v)
    assert torch.autograd.gradcheck(mg.self_attention, v)


def test_an_overflow_names_the_limit_and_the_safe_form():
    v = 100 * torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"exceeds 88\.7.*scaled_attention\(v, v, v, scale=1\)"):
        mg.attention_weights(v)
    assert torch.isfinite(mg.scaled_attention(v, v, v, scale=1)).all()


@pytest.mark.parametrize("v", [torch.randn(5), torch.ones(3, 4, dtype=torch.int64)])
def test_what_is_no_list_of_vectors_is_refused(v):
    with pytest.raises(ValueError, match=r"expected floating-point token vectors \(\.\.\., n, d\)"):
        mg.attention_weights(v)


# Each later form gives back the one before it.


def test_scaled_attention_with_scale_1_is_the_seeds():
    v = torch.randn(7, 4, dtype=torch.float64)
    torch.testing.assert_close(mg.scaled_attention(v, v, v, scale=1), literal_output(v), rtol=0, atol=1e-12)


def test_the_default_scale_is_one_over_the_root_of_the_width():
    v = torch.randn(7, 4, dtype=torch.float64)
    q = v / 2  # sqrt(4)
    torch.testing.assert_close(mg.scaled_attention(v, v, v), mg.scaled_attention(q, v, v, scale=1))


def test_a_mask_that_is_true_everywhere_is_no_mask():
    q, k, v = (torch.randn(2, n, 4, dtype=torch.float64) for n in (5, 7, 7))
    mask = torch.ones(5, 7, dtype=torch.bool)
    torch.testing.assert_close(mg.masked_attention(q, k, v, mask), mg.scaled_attention(q, k, v))


def test_masked_attention_is_attention_over_the_allowed_keys_alone():
    q, k, v = (torch.randn(n, 4, dtype=torch.float64) for n in (5, 7, 7))
    mask = torch.rand(5, 7) > 0.4
    mask[2] = False
    output = mg.masked_attention(q, k, v, mask)
    for t in range(5):
        kept = mask[t]
        alone = mg.scaled_attention(q[t : t + 1], k[kept], v[kept])[0] if kept.any() else torch.zeros(4).double()
        torch.testing.assert_close(output[t], alone, rtol=0, atol=1e-12)


def test_a_mask_of_numbers_is_refused():
    v = torch.randn(3, 2)
    with pytest.raises(ValueError, match=r"torch\.int64; expected torch\.bool, True = may attend"):
        mg.masked_attention(v, v, v, torch.ones(3, 3, dtype=torch.int64))


def test_causal_attention_of_each_prefix_is_full_attention_at_its_end():
    v = torch.randn(6, 3, dtype=torch.float64)
    output = mg.causal_attention(v, v, v, scale=1)
    for t in range(6):
        torch.testing.assert_close(output[t], literal_output(v[: t + 1])[-1], rtol=0, atol=1e-12)


def test_the_causal_mask_aligns_the_last_query_with_the_last_key():
    assert mg.causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]
    assert key_distance(2, 3).tolist() == [[1, 0, -1], [2, 1, 0]]


def test_a_window_sees_itself_and_what_lies_just_before():
    assert mg.causal_mask(4, window=2).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    torch.testing.assert_close(mg.causal_mask(5, window=5), mg.causal_mask(5))
    with pytest.raises(ValueError, match="window=0 must be at least 1"):
        mg.causal_mask(4, window=0)


def test_a_window_as_long_as_the_past_is_causal_attention():
    q, k, v = (torch.randn(2, 6, 4, dtype=torch.float64) for _ in range(3))
    torch.testing.assert_close(mg.causal_attention(q, k, v, window=6), mg.causal_attention(q, k, v))
    assert not torch.allclose(mg.causal_attention(q, k, v, window=2), mg.causal_attention(q, k, v))


@pytest.mark.parametrize("function", [attention_weights, self_attention])
def test_vmap_and_the_derivatives_of_torch_func_are_those_of_each(function):
    v = torch.randn(3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(torch.vmap(function)(v), function(v))
    jacobian = torch.func.jacrev(function)(v[0])
    torch.testing.assert_close(jacobian, torch.autograd.functional.jacobian(function, v[0]))
    with pytest.raises(ValueError, match="so its exponential overflows"):
        torch.vmap(function)(1000 * v)
