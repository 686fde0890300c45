import math

import pytest
import torch
from attention_cases import DEVICE

from minigpt import equations
from minigpt.kernels import rms_norm as kernels
from minigpt.kernels.rms_norm import fused_rms_norm
from minigpt.model import rms_norm

# Of y and its gradients, relative to the largest value, against float64.
TOLERANCES = {torch.float64: 1e-14, torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}
SHAPES = [(1, 3), (3, 7), (2, 5, 16), (35, 24), (64, 100), (4, 0, 8)]


def draw(shape, dtype, seed=0):
    """x between columns of NaN, a gain and a gradient."""
    generator = torch.Generator().manual_seed(seed)
    x, dy = (torch.randn(*shape, generator=generator, dtype=torch.float64) for _ in range(2))
    gain = torch.randn(shape[-1], generator=generator, dtype=torch.float64)
    buffer = torch.full((*shape[:-1], shape[-1] + 2), math.nan, dtype=dtype, device=DEVICE)
    hidden = buffer[..., 1:-1].copy_(x)
    return hidden.requires_grad_(), gain.to(DEVICE, dtype).requires_grad_(), dy.to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_output_and_the_gradients_are_those_of_the_formula_in_float64(shape, dtype):
    x, gain, dy = draw(shape, dtype)
    exact = [t.detach().double().requires_grad_() for t in (x, gain)]
    expected, actual = rms_norm(*exact, eps=1e-3), fused_rms_norm(x, gain, eps=1e-3)
    gradients = torch.autograd.grad(expected, exact, dy.double()), torch.autograd.grad(actual, (x, gain), dy)
    for ours, reference in zip((actual, *gradients[1]), (expected, *gradients[0]), strict=True):
        assert ours.dtype == dtype
        bound = 2 * TOLERANCES[dtype] * reference.abs().max().item() if reference.numel() else 0.0
        torch.testing.assert_close(ours.double(), reference, rtol=0, atol=bound)


def test_the_output_is_the_equation_taken_literally():
    x, gain = torch.randn(5, dtype=torch.float64, device=DEVICE), torch.randn(5, dtype=torch.float64, device=DEVICE)
    expected = equations.get("rms-norm").evaluate(x=x.cpu(), g=gain.cpu(), epsilon=1e-6)
    torch.testing.assert_close(fused_rms_norm(x, gain).cpu(), torch.from_numpy(expected))


def test_gradients_are_those_of_finite_differences():
    x, gain, _ = draw((3, 5), torch.float64)
    assert torch.autograd.gradcheck(fused_rms_norm, (x, gain, 1e-3))


def test_the_gradient_of_the_gain_has_the_same_bits_every_time():
    x, gain, dy = draw((100, 8), torch.float32)
    first, again = (torch.autograd.grad(fused_rms_norm(x, gain), gain, dy)[0] for _ in range(2))
    assert first.equal(again)


def test_a_gain_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"x has width 4 but gain has shape \(3,\); expected \(4,\)"):
        fused_rms_norm(torch.zeros(2, 4), torch.ones(3))


def test_on_the_cpu_without_the_interpreter_the_message_names_what_to_use(monkeypatch):
    monkeypatch.setattr(kernels, "INTERPRETED", False)
    with pytest.raises(ValueError, match="needs a CUDA GPU, and x is on cpu"):
        fused_rms_norm(torch.zeros(2, 4), torch.ones(4))
