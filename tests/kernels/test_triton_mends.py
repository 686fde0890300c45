import numpy as np
import pytest
import torch
import triton
import triton.language as tl
from attention_cases import DEVICE
from triton_mends import narrow, round_to, widen

interpreted = pytest.mark.skipif(DEVICE == "cuda", reason="a GPU needs no mends")
EDGES = [0.0, -0.0, 1.0, 1.00390625, 1.01171875, -3.4e38, 1e-40, float("inf"), float("-inf")]


@triton.jit
def arithmetic(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    a, b = tl.load(x + i), tl.load(y + i)
    tl.store(out + i, a + b)
    tl.store(out + N + i, a * b)
    tl.store(out + 2 * N + i, tl.where(a > b, a, b))
    tl.store(out + 3 * N + i, (a.to(tl.float32) / 3).to(tl.bfloat16))
    tl.store(out + 4 * N + i, -a)


@triton.jit
def total(x, y, out, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(out + i, tl.load(x + i) + tl.load(y + i))


@triton.jit
def product(x, y, out, N: tl.constexpr, K: tl.constexpr, PRECISION: tl.constexpr):
    n, k = tl.arange(0, N), tl.arange(0, K)
    a, b = tl.load(x + n[:, None] * K + k[None, :]), tl.load(y + k[:, None] * N + n[None, :])
    tl.store(out + n[:, None] * N + n[None, :], tl.dot(a, b, input_precision=PRECISION))


def test_bfloat16_is_rounded_as_pytorch_rounds():
    x = torch.cat([torch.randn(2000) * 10 ** torch.linspace(-30, 30, 2000), torch.tensor(EDGES)])
    expected = x.bfloat16()
    assert np.array_equal(narrow(x.numpy()), expected.view(torch.uint16).numpy())
    assert np.array_equal(widen(expected.view(torch.uint16).numpy()), expected.float().numpy())
    assert np.isnan(widen(narrow(np.float32([np.nan])))).all()


def test_tf32_keeps_ten_bits():
    assert round_to(np.float32([1 + 2**-10, 1 + 2**-12]), 13).tolist() == [1 + 2**-10, 1]


@interpreted
def test_arithmetic_in_bfloat16_is_pytorchs():
    x, y = torch.randn(2, 64).bfloat16()
    out = torch.empty(5, 64, dtype=torch.bfloat16)
    arithmetic[(1,)](x, y, out, 64)
    assert out.equal(torch.stack([x + y, x * y, torch.maximum(x, y), (x.float() / 3).bfloat16(), -x]))


@interpreted
def test_a_product_of_bfloat16_is_that_of_its_values():
    x, y = torch.randn(16, 32).bfloat16(), torch.randn(32, 16).bfloat16()
    out = torch.empty(16, 16)
    product[(1,)](x, y, out, 16, 32, "ieee")
    torch.testing.assert_close(out, x.float() @ y.float())


@interpreted
def test_a_product_in_tf32_is_less_exact_than_one_in_float32():
    x, y = torch.randn(16, 32), torch.randn(32, 16)
    error = {}
    for precision in ("ieee", "tf32"):
        out = torch.empty(16, 16)
        product[(1,)](x, y, out, 16, 32, precision)
        error[precision] = (out - (x.double() @ y.double())).abs().max().item()
    assert error["ieee"] < 1e-5 < 1e-4 < error["tf32"]


@interpreted
def test_a_16_bit_product_too_short_for_a_gpu_is_refused():
    x = torch.zeros(16, 8, dtype=torch.float16)
    with pytest.raises(triton.runtime.interpreter.InterpreterError, match="at least 16 long"):
        product[(1,)](x, x, torch.empty(16, 16), 16, 8, "ieee")


@interpreted
def test_sums_of_integers_wrap_as_on_a_gpu():
    x = torch.tensor([2**31 - 1, -(2**31), 5], dtype=torch.int32).repeat(2)[:4]
    out = torch.empty(4, dtype=torch.int32)
    total[(1,)](x, x.flip(0), out, 4)
    assert out.equal(x + x.flip(0))
