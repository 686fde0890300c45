"""The rules of the gradients: those of PyTorch on random graphs, and refusals that say what to do."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from random_graphs import OPERATIONS, TOLERANCE, RandomGraph, largest_error

from minigpt.learn import autograd
from minigpt.learn.autograd import Tensor, tape

METHODS = {  # which rules each method gives, by the number of parents
    **dict.fromkeys(["__add__", "__sub__", "__mul__", "__truediv__", "__matmul__"], 2),
    **dict.fromkeys(["__pow__", "exp", "log", "tanh", "relu", "sum", "max", "__getitem__", "reshape", "transpose"], 1),
}


def test_gradients_are_those_of_pytorch_on_a_thousand_random_graphs():
    counts, wrong = Counter(), {}
    for seed in range(1000):
        graph = RandomGraph(seed)
        error = largest_error(graph)
        counts += graph.counts + Counter(graphs=1)
        if not error <= TOLERANCE:  # NaN is wrong, too
            wrong[seed] = error
    assert wrong == {}, f"seeds with their largest errors: {wrong}"
    assert counts["graphs"] == 1000
    features = ["broadcast", "a value with itself", "batched matmul"]
    assert min(counts[name] for name in [*OPERATIONS, *features]) >= 200, counts


@pytest.mark.parametrize(("method", "parent"), [(name, i) for name, n in METHODS.items() for i in range(n)])
def test_a_wrong_rule_of_any_operation_is_found_by_the_random_graphs(method, parent, monkeypatch):
    right = getattr(Tensor, method)

    def wrong(*args):
        result = right(*args)
        node, rule = result.parents[parent]
        parents = list(result.parents)
        parents[parent] = (node, lambda g: 1.001 * rule(g))
        result.parents = tuple(parents)
        return result

    monkeypatch.setattr(Tensor, method, wrong)
    assert any(largest_error(RandomGraph(seed)) > TOLERANCE for seed in range(100))


def test_a_mean_over_copies_in_place_of_their_sum_is_found_by_the_random_graphs(monkeypatch):
    def mean_to(g, shape):
        total = right(g, shape)
        return total * (total.size / g.size)

    right = tape.sum_to
    monkeypatch.setattr(tape, "sum_to", mean_to)
    assert any(largest_error(RandomGraph(seed)) > TOLERANCE for seed in range(100))


def test_the_methods_whose_rules_are_broken_above_are_all_that_have_one():
    composed = {"mean", "softmax", "__neg__", "_apply"} | {
        f"__r{name}__" for name in ("add", "sub", "mul", "truediv", "matmul")
    }
    assert {name for name, method in vars(Tensor).items() if callable(method)} == METHODS.keys() | composed


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda a, b: a + b, r"a \+ b got shapes \(2, 3\) and \(4,\); expected equal lengths, or 1"),
        (lambda a, b: a - b, r"a - b got shapes \(2, 3\) and \(4,\); expected equal lengths, or 1"),
        (lambda a, b: a * b, r"a \* b got shapes \(2, 3\) and \(4,\); .*use reshape"),
        (lambda a, b: a / b, r"a / b got shapes \(2, 3\) and \(4,\)"),
        (lambda a, b: a @ b, r"a @ b got shapes \(2, 3\) and \(4,\); expected \(..., n, m\) and \(..., m, k\)"),
        (lambda a, b: a @ a, r"a @ b got shapes \(2, 3\) and \(2, 3\); .*use reshape or transpose"),
        (lambda a, b: a @ Tensor(np.ones(3)), r"a @ b got shapes \(2, 3\) and \(3,\)"),
        (lambda a, b: a**b, r"a \*\* n got a Tensor; expected a number n"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_what_fits(compute, message):
    with pytest.raises(ValueError, match=message):
        compute(Tensor(np.ones((2, 3))), Tensor(np.ones(4)))


def test_an_array_before_a_tensor_leaves_the_operation_to_the_tensor():
    a = Tensor([1.0, 2.0])
    for result, expected in [
        (np.ones(2) + a, [2, 3]), (np.ones(2) - a, [0, -1]), (np.full(2, 3.0) * a, [3, 6]), (np.ones(2) / a, [1, 0.5]),
        (np.array([[1.0, 3.0]]) @ a.reshape(2, 1), [[7.0]]), (-a, [-1, -2]), (a ** np.int64(2), [1, 4]),
    ]:  # fmt: skip
        assert isinstance(result, Tensor)
        np.testing.assert_allclose(result.data, expected)


def test_softmax_of_very_large_scores_is_finite():
    z = Tensor([1000.0, 999.0])
    expected = torch.softmax(torch.tensor([1000.0, 999.0], dtype=torch.float64), 0)
    np.testing.assert_allclose(z.softmax().data, expected.numpy(), rtol=1e-12)


def test_the_whole_of_autograd_has_less_than_300_lines():
    files = sorted(Path(autograd.__file__).parent.glob("*.py"))
    assert len(files) >= 3
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 260


def test_a_tensor_shows_its_numbers():
    assert repr(Tensor([[1, 2.5]]) * 2) == "Tensor([[2., 5.]])"
