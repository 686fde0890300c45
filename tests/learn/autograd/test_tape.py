"""The tape: its order, what accumulates, and how deep it may be."""

from pathlib import Path

import numpy as np
import pytest
import torch

from minigpt.learn.autograd import Tensor, tape


def diamond():
    """x is used twice: y = (x + x x) x."""
    x = Tensor(3.0, "x")
    square = x * x
    total = x + square
    return x, square, total, total * x


def test_a_tape_has_each_node_once_after_its_parents():
    x, square, total, y = diamond()
    assert y.tape() == [x, square, total, y]


def test_contributions_of_all_uses_add_up():
    x, square, total, y = diamond()
    y.backward()
    # By hand: y = x^2 + x^3, so dy/dx = 2 x + 3 x^2 = 33.
    assert [node.grad.item() for node in (y, total, square, x)] == [1, 3, 3, 33]


def test_a_second_backward_adds_to_every_gradient_what_pytorch_adds():
    x = Tensor([0.5, -1.0])
    theirs = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    middle, their_middle = x * x, theirs * theirs
    their_middle.retain_grad()
    loss, their_loss = (middle * x).sum(), (their_middle * theirs).sum()
    for _ in range(2):
        loss.backward()
        their_loss.backward(retain_graph=True)
        np.testing.assert_allclose(x.grad, theirs.grad.numpy(), rtol=1e-14)
        np.testing.assert_allclose(middle.grad, their_middle.grad.numpy(), rtol=1e-14)


def test_two_losses_add_their_gradients():
    x = Tensor(2.0)
    (x * x).backward()
    (x * 5).backward()
    assert x.grad == 4 + 5


def test_backward_from_several_numbers_is_refused():
    with pytest.raises(ValueError, match=r"got shape \(2, 1\); expected one number, a loss: take \.sum\(\)"):
        Tensor(np.ones((2, 1))).backward()


def test_one_number_may_have_axes():
    x = Tensor([[3.0]])
    (x * x).backward()
    assert x.grad.tolist() == [[6.0]]


def test_a_chain_of_fifty_thousand_operations_is_followed_to_its_end():
    y = x = Tensor(1.0)
    for _ in range(50_000):
        y = y + x
    y.backward()
    assert x.grad == 50_001


def test_data_are_copied():
    numbers = np.ones(2)
    x = Tensor(numbers)
    numbers[0] = 7
    assert x.data.tolist() == [1, 1]


def test_a_changed_parameter_leaves_the_gradient_of_an_earlier_loss_alone():
    w, x = Tensor(2.0), Tensor(3.0)
    loss = w * w * x
    w.data = w.data + 100
    loss.backward()
    assert (w.grad, x.grad) == (12, 4)


def test_the_whole_room_is_short_enough_to_be_read_at_once():
    lines = [line for file in Path(tape.__file__).parent.glob("*.py") for line in file.read_text("utf-8").splitlines()]
    assert len(lines) <= 250
