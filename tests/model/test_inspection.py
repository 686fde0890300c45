"""Private functions of PyTorch may be gone in a later version: what is computed stays right."""

import importlib

import pytest
import torch
from torch.func import grad, vmap

import minigpt as mg
from minigpt.model import chunked_next_token_loss, inspection, next_token_loss, short_convolution
from minigpt.model.convolution import fast_short_convolution

TARGETS = torch.tensor([[3, 0, -100], [1, 2, 4]])


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


@pytest.fixture
def without_private_functions(monkeypatch):
    monkeypatch.delattr(torch._C, "_are_functorch_transforms_active")
    monkeypatch.delattr(torch._C._autograd, "_get_current_graph_task_keep_graph")
    asked = {name: getattr(inspection, name) for name in ("_TRANSFORMS_ARE_ACTIVE", "_KEEPS_GRAPH")}
    loaded = importlib.util.module_from_spec(inspection.__spec__)
    inspection.__spec__.loader.exec_module(loaded)
    for name in asked:
        monkeypatch.setattr(inspection, name, getattr(loaded, name))


@pytest.mark.usefixtures("without_private_functions")
def test_without_private_functions_the_gradients_are_the_same():
    x, weight = normal(2, 3, 4), normal(5, 4)
    expected = torch.func.grad(lambda x: next_token_loss(x @ weight.T, TARGETS))(x)
    torch.testing.assert_close(grad(lambda x: chunked_next_token_loss(x, weight, TARGETS))(x), expected)
    given = x.clone().requires_grad_()
    loss = chunked_next_token_loss(given, weight, TARGETS)
    for _ in range(2):
        torch.testing.assert_close(torch.autograd.grad(loss, given, retain_graph=True)[0], expected)
    kernels = normal(3, 4)
    torch.testing.assert_close(vmap(fast_short_convolution, (0, None))(x, kernels), short_convolution(x, kernels))


@pytest.mark.usefixtures("without_private_functions")
def test_without_private_functions_a_model_runs_and_refuses_ids_that_are_no_tokens():
    model = mg.GPT(mg.GPTConfig(vocab_size=5, context_length=3, n_layers=1, d_model=4, n_heads=2))
    assert model(torch.tensor([[1, 2, 3]])).shape == (1, 3, 5)
    with pytest.raises(ValueError, match="5"):
        model(torch.tensor([[1, 5, 3]]))


def test_the_numbers_of_a_wrapped_tensor_are_those_of_all_examples():
    seen = []
    x = normal(2, 3)
    vmap(grad(lambda row: (seen.append(inspection.numbers_of(row)), row.sum())[1]))(x)
    torch.testing.assert_close(seen[0], x)
    assert inspection.numbers_of(x) is x


def test_the_question_is_answered_inside_a_transform_alone():
    found = []
    assert not inspection.is_transformed()
    vmap(lambda x: (found.append(inspection.is_transformed()), x)[1])(normal(2, 3))
    assert found == [True]
