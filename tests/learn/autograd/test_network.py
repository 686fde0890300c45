"""Networks on the tape, against PyTorch and against the equations."""

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.learn.autograd import MLP, Layer, Tensor, attention_as_written, descend, mean_loss, neuron


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_attention_as_written_is_its_equation(rng):
    v = rng.normal(size=(5, 3))
    expected = mg.self_attention.equation.evaluate(v=v)
    np.testing.assert_allclose(attention_as_written(Tensor(v)).data, expected, rtol=1e-12)


def test_the_gradient_of_attention_is_that_of_pytorch(rng):
    v, weights = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 3))
    ours, theirs = Tensor(v), torch.tensor(v, requires_grad=True)
    (attention_as_written(ours) * weights).sum().backward()
    (torch.softmax(theirs @ theirs.mT, -1) @ theirs * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-10)


def test_a_layer_is_its_neurons_side_by_side(rng):
    layer, x = Layer(3, 4, rng), Tensor(rng.normal(size=(5, 3)))
    for j in range(4):
        one = neuron(x, layer.weight[:, j], layer.bias[j])
        np.testing.assert_allclose(layer(x).data[:, j], one.data, rtol=1e-14)


def test_an_mlp_with_its_loss_and_gradients_is_that_of_pytorch(rng):
    mlp, x, targets = MLP([3, 5, 4, 2], rng), rng.normal(size=(7, 3)), rng.integers(0, 2, size=7)
    loss = mean_loss(mlp(Tensor(x)), targets)
    loss.backward()
    theirs = [torch.tensor(p.data, requires_grad=True) for p in mlp.parameters]
    y = torch.tensor(x)
    for i in range(0, 6, 2):
        y = y @ theirs[i] + theirs[i + 1]
        y = y if i == 4 else y.tanh()
    expected = torch.nn.functional.cross_entropy(y, torch.tensor(targets))
    expected.backward()
    np.testing.assert_allclose(loss.data, expected.item(), rtol=1e-12)
    for ours, parameter in zip(mlp.parameters, theirs, strict=True):
        np.testing.assert_allclose(ours.grad, parameter.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_the_loss_of_very_large_logits_is_finite():
    assert mean_loss(Tensor([[0.0, 1000.0]]), np.array([0])).data == 1000


def test_a_step_goes_against_the_gradient_and_clears_it():
    w = Tensor([1.0, 2.0])
    (w * w).sum().backward()
    descend([w], rate=0.1)
    np.testing.assert_allclose(w.data, [0.8, 1.6])
    assert w.grad.tolist() == [0, 0]


def test_an_mlp_learns_xor_which_no_single_layer_can(rng):
    x, targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    losses = {}
    for name, sizes in (("one layer", [2, 2]), ("two layers", [2, 8, 2])):
        mlp = MLP(sizes, rng)
        for _ in range(500):
            loss = mean_loss(mlp(Tensor(x)), targets)
            loss.backward()
            descend(mlp.parameters, rate=0.5)
        losses[name] = loss.data
    assert losses["two layers"] < 0.05
    assert losses["one layer"] > np.log(2) - 1e-9  # guessing is the best that it can do
