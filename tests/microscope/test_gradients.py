"""The gradient by a recorded activation: the derivative of what follows from it alone."""

import pytest
import torch

import minigpt as mg
from minigpt.microscope import activation_names, run_with


def sine(logits):
    """A loss that weighs every logit differently."""
    return (logits * torch.arange(logits.numel()).reshape(logits.shape).sin()).sum()


@pytest.mark.parametrize("kind", ["llama", "convolution", "post-convolution", "gpt2"])
def test_the_gradient_by_every_activation_equals_finite_differences(make_model, ids, kind):
    model, ids, step = make_model(kind, n_layers=2), ids[:, :5], 1e-6
    record = mg.look(model, ids, gradients=True)
    gradients = torch.autograd.grad(sine(record.logits), [record[name] for name in record])
    assert list(record) == activation_names(model)
    for name, gradient in zip(record, gradients, strict=True):
        along = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(1)).to(gradient)
        high, low = (
            sine(run_with(model, ids, {name: record[name].detach() + by * along}).logits) for by in (step, -step)
        )
        expected = (high - low) / (2 * step)
        torch.testing.assert_close((gradient * along).sum(), expected, rtol=1e-5, atol=1e-6, msg=name)


def test_an_edited_activation_has_the_gradient_of_what_follows_its_replacement(make_model, ids):
    model, name = make_model("llama"), "blocks.1.hook_mlp_in"
    record = run_with(model, ids, {name: lambda x: 2 * x}, [name, "logits"], gradients=True)
    (gradient,) = torch.autograd.grad(sine(record.logits), record[name])
    source = record[name].detach()
    high, low = (sine(run_with(model, ids, {name: source + by}).logits) for by in (1e-6, -1e-6))
    torch.testing.assert_close(gradient.sum(), (high - low) / 2e-6, rtol=1e-5, atol=1e-6)


def test_a_frozen_model_has_gradients_by_its_activations(make_model, ids):
    model, name = make_model("llama"), "blocks.0.hook_mlp_out"
    (expected,) = torch.autograd.grad(sine((record := mg.look(model, ids, gradients=True)).logits), record[name])
    record = mg.look(model.requires_grad_(False), ids, gradients=True)
    (gradient,) = torch.autograd.grad(sine(record.logits), record[name])
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-12)
