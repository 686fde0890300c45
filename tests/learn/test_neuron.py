"""The loss of one neuron beside PyTorch's parts, and by hand."""

import math

import torch
from torch import nn
from torch.testing import assert_close

from minigpt.learn import neuron_loss


def test_the_loss_and_its_gradients_are_those_of_a_linear_layer_tanh_and_mse():
    generator = torch.Generator().manual_seed(3)
    x, y = torch.randn(5, 3, generator=generator), torch.randn(5, generator=generator)
    layer = nn.Linear(3, 1)
    expected = nn.functional.mse_loss(torch.tanh(layer(x)).squeeze(-1), y)
    w, b = layer.weight.detach()[0].requires_grad_(), layer.bias.detach()[0].requires_grad_()
    loss = neuron_loss(x, w, b, y)
    assert_close(loss, expected)
    loss.backward()
    expected.backward()
    assert_close(w.grad, layer.weight.grad[0])
    assert_close(b.grad, layer.bias.grad[0])


def test_a_neuron_that_can_be_worked_out_by_hand():
    x, w = torch.tensor([[math.log(2.0)], [0.0]]), torch.tensor([1.0])
    assert_close(neuron_loss(x, w, torch.tensor(0.0), torch.tensor([1.0, 0.5])), torch.tensor((0.4**2 + 0.5**2) / 2))
