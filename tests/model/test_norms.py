import math

import pytest
import torch

from minigpt.model import LayerNorm, RMSNorm, layer_norm, rms_norm
from minigpt.model.norms import FastRMSNorm

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


def literal_layer_norm(row, gain, shift, eps):
    d = len(row)
    mu = sum(row) / d
    variance = sum((x - mu) ** 2 for x in row) / d
    return [g * (x - mu) / math.sqrt(variance + eps) + b for x, g, b in zip(row, gain, shift, strict=True)]


def literal_rms_norm(row, gain, eps):
    d = len(row)
    return [g * x / math.sqrt(sum(y**2 for y in row) / d + eps) for x, g in zip(row, gain, strict=True)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 7, 129])
def test_layer_norm_is_its_formula(dtype, width, assert_near):
    x = (3 + 2 * torch.randn(2, 3, width)).to(dtype)
    gain, shift = torch.randn(2, width).to(dtype)
    rows = [literal_layer_norm(r, gain.tolist(), shift.tolist(), 1e-5) for r in x.flatten(0, 1).tolist()]
    assert_near(layer_norm(x, gain, shift), torch.tensor(rows, dtype=torch.float64).view(x.shape), scale=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 7, 129])
def test_rms_norm_is_its_formula(dtype, width, assert_near):
    x = (3 + 2 * torch.randn(2, 3, width)).to(dtype)
    gain = torch.randn(width).to(dtype)
    rows = [literal_rms_norm(r, gain.tolist(), 1e-6) for r in x.flatten(0, 1).tolist()]
    assert_near(rms_norm(x, gain), torch.tensor(rows, dtype=torch.float64).view(x.shape), scale=4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("module", [LayerNorm(9, eps=0.1), LayerNorm(9, bias=False), RMSNorm(9, eps=0.1)])
def test_the_modules_fast_path_equals_the_formula(module, dtype, assert_near):
    module = module.to(dtype)
    x = torch.randn(4, 9, dtype=dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
        if isinstance(module, LayerNorm):
            expected = layer_norm(x.double(), module.gain.double(), _wide(module.shift), module.eps)
        else:
            expected = rms_norm(x.double(), module.gain.double(), module.eps)
        assert_near(module(x), expected, scale=4)


def _wide(shift):
    return None if shift is None else shift.double()


def test_a_vector_a_thousand_times_larger_normalises_to_the_same():
    x, gain = torch.randn(3, 8), torch.ones(8)
    torch.testing.assert_close(layer_norm(1000 * x, gain), layer_norm(x, gain), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(rms_norm(1000 * x, gain), rms_norm(x, gain), rtol=1e-3, atol=1e-4)


def test_a_gain_of_another_width_is_refast():
    for norm in (layer_norm, rms_norm):
        with pytest.raises(ValueError, match=r"x has width 4 but gain has shape \(3,\)"):
            norm(torch.randn(2, 4), torch.ones(3))


@pytest.mark.parametrize("is_graded", [True, False])
@pytest.mark.parametrize("shape", [(3, 1), (3, 2), ()])
def test_no_width_is_stretched_to_that_of_the_gain(shape, is_graded):
    with torch.set_grad_enabled(is_graded), pytest.raises(ValueError, match=r"but gain has shape \(3,\)"):
        RMSNorm(3)(torch.ones(shape))


def test_gradients_are_those_of_finite_differences():
    x, gain, shift = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in [(2, 5), (5,), (5,)])
    assert torch.autograd.gradcheck(layer_norm, (x, gain, shift))
    assert torch.autograd.gradcheck(rms_norm, (x, gain))


@pytest.mark.parametrize("shape", [(1,), (5,), (3, 7), (2, 3, 4, 6)])
def test_in_few_passes_the_rms_norm_is_the_same_and_so_are_its_gradients(shape):
    x, gain = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in (shape, shape[-1:]))
    written, fast = rms_norm(x, gain, 0.1), FastRMSNorm.apply(x, gain, 0.1)
    torch.testing.assert_close(fast, written)
    h = torch.randn_like(written)
    torch.testing.assert_close(torch.autograd.grad(fast, (x, gain), h), torch.autograd.grad(written, (x, gain), h))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_few_passes_16_bits_are_normalised_in_32(dtype):
    x, gain = torch.randn(4, 64, dtype=dtype, requires_grad=True), torch.ones(64, dtype=dtype, requires_grad=True)
    results = [torch.autograd.grad(norm(x, gain, 0.1).sum(), (x, gain)) for norm in (rms_norm, FastRMSNorm.apply)]
    for written, fast in zip(*results, strict=True):
        assert written.dtype == fast.dtype == dtype
        torch.testing.assert_close(fast, written)
