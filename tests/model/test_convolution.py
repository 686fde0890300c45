import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minigpt.model import GPT, GPTConfig, ShortConvolution, short_convolution
from minigpt.model.convolution import FastShortConvolution
from minigpt.training import decay_groups


@pytest.mark.parametrize(("n_positions", "n_taps"), [(1, 4), (3, 4), (7, 1), (7, 4), (129, 3)])
def test_it_is_a_depthwise_causal_convolution_beside_the_identity(n_positions, n_taps):
    """Against torch's own, whose kernel runs the other way."""
    x, weights = torch.randn(2, n_positions, 5).double(), torch.randn(n_taps, 5).double()
    kernel = weights.flip(0).t().unsqueeze(1)
    padded = nn.functional.pad(x.transpose(1, 2), (n_taps - 1, 0))
    expected = x + nn.functional.conv1d(padded, kernel, groups=5).transpose(1, 2)
    assert_close(short_convolution(x, weights), expected)


@pytest.mark.parametrize(("n_positions", "n_taps"), [(1, 4), (3, 4), (7, 1), (7, 4), (30, 3)])
def test_without_copies_it_is_the_same_and_so_are_its_gradients(n_positions, n_taps):
    x = torch.randn(2, 3, n_positions, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(n_taps, 5, dtype=torch.float64, requires_grad=True)
    written, fast = short_convolution(x, weights), FastShortConvolution.apply(x, weights)
    assert_close(fast, written)
    g = torch.randn_like(written)
    assert_close(torch.autograd.grad(fast, (x, weights), g), torch.autograd.grad(written, (x, weights), g))


def test_it_starts_as_the_identity_and_learns():
    convolution = ShortConvolution(4, 5)
    x = torch.randn(2, 7, 5)
    assert torch.equal(convolution(x), x)
    convolution(x).square().sum().backward()
    assert (convolution.taps.grad != 0).all()


@pytest.mark.parametrize("placement", ["pre", "post"])
def test_a_model_with_it_stays_causal_and_depends_on_it(placement):
    config = GPTConfig(
        vocab_size=11, context_length=9, d_model=8, n_heads=2, n_layers=2, convolution=3, norm_placement=placement
    )
    model = GPT(config, generator=torch.Generator().manual_seed(0)).eval()
    ids = torch.arange(8).unsqueeze(0)
    before = model(ids)
    for block in model.blocks:
        nn.init.normal_(block.convolution.taps)
    after, changed = model(ids), ids.clone()
    changed[0, 5] = 9
    assert not torch.allclose(before, after)
    assert torch.equal(model(changed)[:, :5], after[:, :5])


def test_its_weights_are_vectors_to_an_optimizer():
    config = GPTConfig(vocab_size=11, d_model=8, n_heads=2, n_layers=1, convolution=3)
    groups = {group["role"]: group for group in decay_groups(GPT(config), 0.1)}
    shapes = {role: {tuple(p.shape) for p in group["params"]} for role, group in groups.items()}
    assert (3, 8) in shapes["vector"] and (3, 8) not in shapes["matrix"]


def test_a_convolution_over_no_position_is_refused():
    with pytest.raises(ValueError, match="convolution=0 must be a whole number from 1 to"):
        GPTConfig(vocab_size=11, convolution=0)
