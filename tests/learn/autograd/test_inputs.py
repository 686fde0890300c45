"""What a tensor may be made of, axes without numbers, and positions that are read several times."""

import numpy as np
import pytest
import torch

from minigpt.learn.autograd import Tensor


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (1j, "complex numbers"),
        (np.ones(2, dtype=np.complex64), "complex numbers"),
        ("3", "text"),
        (["1", "2"], "text"),
        (b"3", "bytes"),
        (None, "a NoneType"),
        ([1, None], "a list"),
        ([[1, 2], [3]], "a list"),
        (10**400, "a int"),
        ({1: 2}, "a dict"),
        (len, "a builtin_function_or_method"),
        (torch.ones(2, requires_grad=True), "a Tensor"),
    ],
)
def test_what_is_not_real_numbers_is_refused_in_a_sentence(data, got):
    for make in (lambda: Tensor(data), lambda: Tensor([1.0]) + data, lambda: data * Tensor(2.0)):
        with pytest.raises(ValueError, match=f"^a tensor got {got}; expected real numbers: one, an array, or lists"):
            make()
        if isinstance(data, np.ndarray | torch.Tensor | str | bytes | list):
            break  # such values have an operation of their own for what is beside them


@pytest.mark.parametrize("data", [3, True, [1, 2], np.array([[1], [2]], dtype=np.int8), torch.tensor([1, 2])])
def test_whole_numbers_become_float64_and_have_gradients(data):
    x = Tensor(data)
    (x * x * 0.5).sum().backward()
    assert x.data.dtype == x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, np.asarray(data, dtype=float))


@pytest.mark.parametrize("name", ["mean", "max"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((0,), None), ((2, 0), 1), ((2, 0), None), ((0, 3), 0), ((2, 0, 3), (0, 1))]
)
def test_no_numbers_have_neither_mean_nor_largest(name, shape, axis):
    with pytest.raises(ValueError, match=f"^{name} got shape .* and axis=.*: 0 numbers have no {name}; only sum is 0"):
        getattr(Tensor(np.zeros(shape)), name)(axis)


@pytest.mark.parametrize(
    ("name", "theirs", "axis"),
    [
        ("mean", "mean", 0), ("max", "amax", 0), ("sum", "sum", 0), ("sum", "sum", 1),
        ("softmax", "softmax", 0), ("softmax", "softmax", 1),
    ],
)  # fmt: skip
def test_axes_without_numbers_are_those_of_pytorch(name, theirs, axis):
    shape = (2, 0)
    x, other = Tensor(np.zeros(shape)), torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    ours, expected = getattr(x, name)(axis), getattr(other, theirs)(axis)
    np.testing.assert_array_equal(ours.data, expected.detach().numpy())
    ours.sum().backward()
    assert x.grad.shape == shape


def test_a_single_number_has_no_axes():
    x = Tensor(3.0)
    y = x.sum() * x.max() * x.mean() * x.softmax() * x.reshape(1)[0] * x[...] * x[None].sum(0)
    y.backward()
    # By hand: y = x^6 where softmax is 1, whose derivative is 6 x^5 = 1458.
    assert (y.data, x.grad.item()) == (3.0**6, pytest.approx(1458, rel=1e-14))


@pytest.mark.parametrize(
    "where",
    [
        np.array([0, 0, 2, 0]),
        (np.array([1, 1, 0]), np.array([2, 2, 0])),
        (slice(None), np.array([[0, 0], [1, 0]])),
        (np.array([[1], [1]]), np.array([0, 2, 2])),
        [2, 2, -1],
    ],
)
def test_a_position_that_is_read_twice_collects_both_gradients(where):
    numbers = np.random.default_rng(0).normal(size=(3, 4))
    ours, theirs = Tensor(numbers), torch.tensor(numbers, requires_grad=True)
    read, other = ours[where], theirs[where]
    weights = np.random.default_rng(1).normal(size=read.shape)
    (read * read * weights).sum().backward()
    (other * other * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-12)
    assert (np.abs(ours.grad) > 0).sum() < read.data.size  # a position is there twice


def test_positions_that_change_after_the_forward_pass_change_no_gradient():
    x, where = Tensor([1.0, 2.0, 3.0]), np.array([0, 0])
    loss = x[where].sum()
    where[0] = 2
    loss.backward()
    assert x.grad.tolist() == [2, 0, 0]
