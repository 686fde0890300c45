import math
import sys

import pytest
import torch

from minigpt.model import ATTENTION, Pattern, alibi_slopes
from minigpt.model.backends import formula_attention

CASES = [
    pytest.param((1, 1, 1, 1, 1, 4), {}, id="one"),
    pytest.param((2, 3, 3, 7, 7, 5), {}, id="odd"),
    pytest.param((2, 4, 2, 33, 33, 8), {}, id="grouped"),
    pytest.param((2, 4, 1, 5, 12, 8), {}, id="few-queries"),
    pytest.param((1, 2, 2, 129, 129, 16), {"window": 17}, id="window"),
    pytest.param((1, 2, 2, 9, 9, 4), {"window": 100}, id="wide-window"),
    pytest.param((2, 3, 3, 11, 13, 4), {"slopes": alibi_slopes(3)}, id="alibi"),
    pytest.param((1, 4, 2, 12, 12, 4), {"window": 3, "slopes": alibi_slopes(4), "scale": 0.3}, id="all"),
]


def literal_attention(q, k, v, pattern):
    """One query and one key at a time, in Python floats."""
    batch, n_heads, n_queries, width = q.shape
    n_kv_heads, n_keys = k.shape[1], k.shape[2]
    scale = 1 / math.sqrt(width) if pattern.scale is None else pattern.scale
    output = torch.zeros(q.shape, dtype=torch.float64)
    for b in range(batch):
        for h in range(n_heads):
            keys, values = k[b, h * n_kv_heads // n_heads], v[b, h * n_kv_heads // n_heads]
            for t in range(n_queries):
                place = t + n_keys - n_queries
                first = 0 if pattern.window is None else max(0, place - pattern.window + 1)
                terms = []
                for s in range(first, place + 1):
                    score = scale * float(q[b, h, t] @ keys[s])
                    if pattern.slopes is not None:
                        score -= float(pattern.slopes[h]) * (place - s)
                    terms.append((math.exp(score), values[s]))
                total = sum(weight for weight, _ in terms)
                output[b, h, t] = sum(weight / total * value for weight, value in terms)
    return output


def draw(shape, dtype=torch.float64):
    batch, n_heads, n_kv_heads, n_queries, n_keys, width = shape
    q = torch.randn(batch, n_queries, n_heads, width, dtype=dtype).transpose(1, 2)
    k, v = (torch.randn(batch, n_kv_heads, n_keys, width, dtype=dtype) for _ in range(2))
    return q, k, v


@pytest.mark.parametrize("autocast", [True, False])
def test_sdpa_in_16_bits_on_a_processor_computes_in_32(autocast):
    q, k, v = (torch.randn(1, 2, 9, 4).bfloat16() for _ in range(3))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        output = ATTENTION["sdpa"](q.float() if autocast else q, k, v, Pattern())
    expected = ATTENTION["sdpa"](q.float(), k.float(), v.float(), Pattern())
    assert output.dtype == torch.bfloat16
    assert torch.equal(output, expected.bfloat16())


@pytest.mark.parametrize(("shape", "pattern"), CASES)
def test_the_formula_is_the_literal_sum(shape, pattern, assert_near):
    q, k, v = draw(shape)
    assert_near(formula_attention(q, k, v, Pattern(**pattern)), literal_attention(q, k, v, Pattern(**pattern)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("shape", "pattern"), CASES)
def test_the_fast_path_equals_the_formula_and_so_do_its_gradients(dtype, shape, pattern, assert_near):
    exact = [x.requires_grad_() for x in draw(shape)]
    fast = [x.detach().to(dtype).requires_grad_() for x in exact]
    expected, actual = (ATTENTION[n](*x, Pattern(**pattern)) for n, x in (("formula", exact), ("auto", fast)))
    assert_near(actual, expected.detach(), scale=4)
    weight = torch.randn(expected.shape, dtype=torch.float64)
    expected.backward(weight)
    actual.backward(weight.to(dtype))
    for x, y in zip(fast, exact, strict=True):
        assert_near(x.grad, y.grad, scale=8)


@pytest.mark.parametrize("size", [1, 10, 50, 300])
@pytest.mark.parametrize("pattern", [{}, {"slopes": alibi_slopes(4), "window": 40}])
@pytest.mark.parametrize("name", ["auto", "sdpa", "products"])
@pytest.mark.parametrize(
    ("dtype", "of_output", "of_gradients"), [(torch.bfloat16, 8e-3, 2.5e-2), (torch.float16, 1e-3, 3e-3)]
)
def test_the_error_in_16_bits_does_not_grow_with_the_scores(name, size, pattern, dtype, of_output, of_gradients):
    narrow = [
        (x * s).to(dtype).requires_grad_() for x, s in zip(draw((2, 4, 2, 65, 65, 16)), (size, 1, 1), strict=True)
    ]
    exact = [x.detach().double().requires_grad_() for x in narrow]
    output, expected = ATTENTION[name](*narrow, Pattern(**pattern)), formula_attention(*exact, Pattern(**pattern))
    assert output.dtype == dtype
    assert (output.double() - expected).abs().max() <= of_output * exact[2].abs().max()
    weight = torch.randn(expected.shape).to(dtype)
    found = torch.autograd.grad(output, narrow, weight)
    for actual, wanted in zip(found, torch.autograd.grad(expected, exact, weight.double()), strict=True):
        assert (actual.double() - wanted).abs().max() <= of_gradients * wanted.abs().max()


@pytest.mark.parametrize("name", ["formula", "sdpa", "products"])
@pytest.mark.parametrize("pattern", [{}, {"window": 5}, {"slopes": alibi_slopes(2)}])
def test_a_change_in_the_future_changes_no_bit_of_the_past(name, pattern):
    q, k, v = (torch.randn(2, 2, 33, 16) for _ in range(3))
    before = ATTENTION[name](q, k, v, Pattern(**pattern))
    for x in (q, k, v):
        x[:, :, 20:] += 1
    after = ATTENTION[name](q, k, v, Pattern(**pattern))
    assert torch.equal(before[:, :, :20], after[:, :, :20])
    assert not torch.equal(before[:, :, 20:], after[:, :, 20:])


@pytest.mark.parametrize("name", ["formula", "sdpa"])
def test_scores_a_thousand_times_larger_stay_finite(name):
    q, k, v = (torch.randn(1, 2, 9, 4) for _ in range(3))
    assert torch.isfinite(ATTENTION[name](1000 * q, 1000 * k, v, Pattern())).all()


@pytest.mark.parametrize("name", ["formula", "sdpa"])
def test_dropout_keeps_the_mean_and_drops_its_share(name):
    q, k = torch.zeros(1, 1, 400, 2), torch.zeros(1, 1, 400, 2)
    v = torch.ones(1, 1, 400, 2)
    output = ATTENTION[name](q, k, v, Pattern(dropout=0.5))
    assert output[0, 0, 100:].mean() == pytest.approx(1, abs=0.02)
    assert output[0, 0, 100:, 0].std() > 0.02


def test_asking_for_the_kernel_without_triton_names_what_to_use(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "minigpt.kernels.fused_attention", raising=False)
    monkeypatch.delattr("minigpt.kernels.fused_attention", raising=False)
    q = torch.randn(1, 1, 2, 4)
    with pytest.raises(ValueError, match=r"needs triton .*or use attention='sdpa'"):
        ATTENTION["triton"](q, q, q, Pattern())


@pytest.mark.parametrize(
    ("pattern", "lacking"), [({"slopes": alibi_slopes(1)}, "ALiBi slopes"), ({"dropout": 0.5}, "dropout=0.5")]
)
def test_asking_the_kernel_for_what_it_has_not_names_what_to_use(monkeypatch, pattern, lacking):
    q = torch.randn(1, 1, 2, 4)
    with pytest.raises(ValueError, match=f"has no {lacking}.*; use attention='sdpa'"):
        ATTENTION["triton"](q, q, q, Pattern(**pattern))


def test_auto_is_pytorchs_attention_in_float32():
    q, k, v = draw((2, 3, 3, 9, 9, 5))
    pattern = Pattern(window=4)
    assert ATTENTION["auto"](q, k, v, pattern).equal(ATTENTION["sdpa"](q, k, v, pattern))


@pytest.mark.parametrize("autocast", [False, True])
def test_auto_is_two_products_in_bfloat16_while_the_table_of_weights_is_small(autocast, monkeypatch):
    given = draw((2, 3, 3, 9, 9, 5), torch.float32)
    narrow = [x.bfloat16() for x in given]
    expected = ATTENTION["products"](*narrow, Pattern())
    assert not expected.equal(ATTENTION["sdpa"](*narrow, Pattern()))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = ATTENTION["auto"](*(given if autocast else narrow), Pattern())
        monkeypatch.setattr("minigpt.model.backends.LARGEST_TABLE", 2 * 3 * 9 * 9 - 1)
        beyond = ATTENTION["auto"](*(given if autocast else narrow), Pattern())
        monkeypatch.undo()
        monkeypatch.setattr("minigpt.model.backends.LONGEST_ROW", 8)
        longer = ATTENTION["auto"](*(given if autocast else narrow), Pattern())
    assert found.bfloat16().equal(expected)
    assert longer.equal(beyond)
    assert beyond.bfloat16().equal(ATTENTION["sdpa"](*narrow, Pattern()))


def test_gradients_of_the_formula_are_those_of_finite_differences():
    q, k, v = (x.detach().requires_grad_() for x in draw((1, 2, 1, 3, 4, 2)))
    pattern = Pattern(window=3, slopes=alibi_slopes(2))
    assert torch.autograd.gradcheck(lambda *x: formula_attention(*x, pattern), (q, k, v))


@pytest.mark.parametrize("scale", [0.0, -0.7])
@pytest.mark.parametrize("name", ["sdpa", "products", "auto"])
def test_a_scale_that_is_not_above_0_is_a_scale_like_others(name, scale, assert_near):
    q, k, v = draw((2, 4, 2, 9, 9, 5))
    pattern = Pattern(scale=scale)
    assert_near(ATTENTION[name](q, k, v, pattern), literal_attention(q, k, v, pattern))


@pytest.mark.parametrize("name", ["sdpa", "products", "auto"])
def test_queries_before_the_first_key_get_zeros(name, assert_near):
    q, k, v = draw((2, 4, 1, 9, 4, 5))
    found = ATTENTION[name](q, k, v, Pattern())
    assert found[:, :, :5].eq(0).all()
    assert_near(found, formula_attention(q, k, v, Pattern()))


def test_slopes_that_are_learnt_get_their_gradient_from_products_too():
    q, k, v = draw((2, 4, 2, 9, 11, 5))
    gradients = []
    for name in ("products", "formula"):
        slopes = alibi_slopes(4, dtype=torch.float64).requires_grad_()
        (ATTENTION[name](q, k, v, Pattern(slopes=slopes)) ** 2).sum().backward()
        gradients.append(slopes.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_under_autocast_are_those_of_its_dtype(dtype):
    q, k, v = draw((2, 4, 2, 9, 9, 5), dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = ATTENTION["products"](q, k, v, Pattern())
    assert found.dtype == torch.bfloat16
    assert found.equal(ATTENTION["products"](q.bfloat16(), k.bfloat16(), v.bfloat16(), Pattern()))


@pytest.mark.parametrize("name", ["sdpa", "products", "auto"])
@pytest.mark.parametrize("n_queries", [1, 9])
@pytest.mark.parametrize("learns_slopes", [False, True])
def test_autocast_leaves_float64_as_it_is(name, n_queries, learns_slopes):
    """As it does for every operation of PyTorch."""
    q, k, v = draw((2, 4, 2, n_queries, 9, 5))
    slopes = alibi_slopes(4)
    with torch.autocast("cpu", torch.bfloat16):
        found = ATTENTION[name](q, k, v, Pattern(slopes=slopes.clone().requires_grad_(learns_slopes)))
    torch.testing.assert_close(found, literal_attention(q, k, v, Pattern(slopes=slopes)))


@pytest.mark.parametrize("name", ["formula", "sdpa", "products", "auto"])
@pytest.mark.parametrize("slopes", [None, alibi_slopes(4).to("meta")])
def test_on_the_device_meta_the_output_has_its_shape_and_dtype(name, slopes):
    q, k, v = (x.to("meta") for x in draw((2, 4, 2, 5, 9, 6), torch.bfloat16))
    found = ATTENTION[name](q, k, v, Pattern(slopes=slopes, window=3))
    assert (found.shape, found.dtype, found.device.type) == (q.shape, torch.bfloat16, "meta")
